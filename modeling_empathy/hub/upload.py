"""Brings a publication to the Hub in one commit: afterwards it is there as a whole, or the repository is as before."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from ..errors import InputError, first_line
from .cards import check_repo_id
from .staging import Publication


# What an earlier publication left and this one lacks goes with the same commit; other files of a repository stay. A
# stale index of weights or vocabulary beside new files may be what a library reads.
_REPLACED = {
    "model": (
        "*.safetensors",
        "*.safetensors.index.json",
        "tokenizer*",
        "vocab.*",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "additional_chat_templates/*",
        "onnx/*",
        "metrics.json",
        "confusion_*.png",
        "loss_curve.png",
        ".eval_results/epitome.yaml",
    ),
    "dataset": ("*/*-of-*.parquet", "alignment_report.json", "croissant.json"),
    "space": ("modeling_empathy-*.whl",),
}

# What to do, by the status of the Hub's answer.
_ADVICE = {
    401: "the token is not accepted: log in again with `hf auth login`, or set HF_TOKEN",
    403: "the token may not do this: it needs the right to write to the repository",
    404: "there is no such repository or revision, or the token may not see it",
    409: "something else is being done to it at this moment: try again",
    412: "it was changed by somebody else while this was uploaded: look at the change, then try again",
    429: "too many requests: wait a few minutes, then try again",
}


@dataclass(frozen=True)
class Target:
    """Where to publish.

    Attributes:
        repo_id: `owner/name`.
        private: Whether only its owners may see it.
        revision: The branch; made where it is missing. The main one when left out.
        create_pr: Whether the commit is proposed as a pull request.
        commit_message: The commit's title.
    """

    repo_id: str
    private: bool = False
    revision: str | None = None
    create_pr: bool = False
    commit_message: str | None = None

    def check(self) -> None:
        """Raises an `InputError` where this names no place to publish."""
        check_repo_id(self.repo_id, "--repo_id")
        if "/" not in self.repo_id:
            raise InputError(f"--repo_id {self.repo_id}: write it as owner/name.")
        if self.create_pr and self.revision not in (None, "main"):
            raise InputError("--create_pr proposes a change of the main branch: leave out --revision.")


def upload(publication: Publication, target: Target) -> str:
    """Publishes with the token of the environment or of the login.

    Args:
        publication: What.
        target: Where.

    Returns:
        The address of the commit or of the pull request.

    Raises:
        InputError: If it can't be done, with what to do and what the repository holds now.
    """
    target.check()
    require_token()
    return _Upload(publication, target).run()


def require_token() -> None:
    """Raises an `InputError` where nobody is logged in."""
    if get_token() is None:
        raise InputError("There is no token: log in with `hf auth login`, or set HF_TOKEN.")


class _Upload:
    """One upload, which remembers how the repository was before."""

    def __init__(self, publication: Publication, target: Target) -> None:
        self.publication, self.target = publication, target
        self.api = HfApi()
        self.is_new = False
        self.head: str | None = None

    def run(self) -> str:
        try:
            # First, so that a token that is not accepted is called that: asked for a repository, the Hub answers 401
            # as well where there is none.
            self.api.whoami()
            self._make_ready()
            folder = self.publication.folder
            additions = [CommitOperationAdd(name, str(folder / name)) for name in self.publication.files]
            commit = self.api.create_commit(
                self.target.repo_id,
                [*additions, *self._deletions()],
                commit_message=self.target.commit_message or f"Publish a {self.publication.repo_type}",
                repo_type=self.publication.repo_type,
                revision=self.target.revision,
                create_pr=self.target.create_pr,
                # The Hub refuses the commit where the branch has moved on: nobody's change is lost unseen.
                parent_commit=self.head,
            )
        except OfflineModeIsEnabled:
            raise InputError("HF_HUB_OFFLINE forbids to publish: unset it.") from None
        except InputError:
            raise
        # The client wraps an upload that failed in a RuntimeError, and a card that the Hub refuses in a ValueError.
        except (HTTPError, OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{self.target.repo_id}: {_reason(error)}. {self._state()}") from None
        return commit.pr_url or commit.commit_url

    def _make_ready(self) -> None:
        """Makes repository and branch where they are missing, and remembers the newest commit."""
        repo_id, repo_type, private = self.target.repo_id, self.publication.repo_type, self.target.private
        # Asked for before it is made: `create_repo(exist_ok=True)` does not tell whether it is new, or private.
        try:
            is_private = self.api.repo_info(repo_id, repo_type=repo_type).private
        except RepositoryNotFoundError:
            sdk = "gradio" if repo_type == "space" else None
            self.api.create_repo(repo_id, repo_type=repo_type, private=private, space_sdk=sdk)
            self.is_new, is_private = True, private
        if private and not is_private:
            raise InputError(
                f"{repo_id} exists already and is public, and --private was asked for: make it private on the Hub, or "
                "name another. Nothing was sent."
            )
        if self.target.revision is not None:
            self.api.create_branch(repo_id, repo_type=repo_type, branch=self.target.revision, exist_ok=True)
        self.head = self._newest_commit()

    def _newest_commit(self) -> str | None:
        repo_type, revision = self.publication.repo_type, self.target.revision
        return self.api.repo_info(self.target.repo_id, repo_type=repo_type, revision=revision).sha

    def _deletions(self) -> list[CommitOperationDelete]:
        repo_type = self.publication.repo_type
        # As of the commit that this one follows, so that nothing is deleted which came since.
        present = self.api.list_repo_files(self.target.repo_id, revision=self.head, repo_type=repo_type)
        stale = sorted(set(present) - set(self.publication.files))
        patterns = _REPLACED[repo_type]
        return [CommitOperationDelete(name) for name in stale if any(fnmatch(name, pattern) for pattern in patterns)]

    def _state(self) -> str:
        """What the repository holds after a failure, in a sentence."""
        if self.head is None:
            return "Nothing was sent." if not self.is_new else "A new repository was made, and nothing was sent."
        try:
            newest = self._newest_commit()
        except (HTTPError, OSError, ValueError):
            return "Whether the commit arrived could not be asked: look there before you try again."
        # The answer to a commit may be lost on the way when the commit was made.
        if newest != self.head:
            return f"There is a new commit, {newest}: look whether it is this one before you try again."
        return "The new repository is empty." if self.is_new else "The repository is as it was before."


def _reason(error: Exception) -> str:
    """What went wrong in words; never with a header, and so without the token."""
    # The answer may be several errors behind the one that was raised: the client wraps it.
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    answered = next((link for link in chain if isinstance(link, HfHubHTTPError)), None)
    if answered is not None:
        status, message = answered.response.status_code, answered.server_message or first_line(answered)
        advice = _ADVICE.get(status, "the Hub has a problem: try again later" if status >= 500 else "")
        return (
            f"the Hub answered {status}, {advice} ({message})" if advice else f"the Hub answered {status}: {message}"
        )
    unanswered = next((link for link in chain if isinstance(link, HTTPError)), None)
    if unanswered is not None:
        return f"the Hub can't be reached ({type(unanswered).__name__}: {first_line(unanswered)})"
    return first_line(error).rstrip(".")
