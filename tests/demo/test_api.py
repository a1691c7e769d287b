"""The endpoint `/score`, as a program asks it: the pipeline's result, and messages."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from modeling_empathy import EmpathyPipeline


SECRET = "zanzibar quokka"
PAIR = ("I failed again and feel useless.", "I'm so sorry. What happened?")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(page) -> Client:
    return Client(page.address, verbose=False)


def test_a_pair_is_scored_as_by_the_pipeline(client):
    pipeline = EmpathyPipeline.default(device="cpu")
    assert client.predict(*PAIR, api_name="/score") == pipeline(PAIR)
    options = {"abstain_below": 0.95, "return_all_scores": True}
    found = client.predict(*PAIR, **options, api_name="/score")
    assert found == pipeline(PAIR, **options)
    assert any(found[mechanism]["label"] is None for mechanism in pipeline.model.config.mechanisms)


def test_it_is_the_only_endpoint_and_says_what_it_does(client):
    endpoints = client.view_api(return_format="dict")
    assert list(endpoints["named_endpoints"]) == ["/score"] and not endpoints["unnamed_endpoints"]
    parameters = [one["parameter_name"] for one in endpoints["named_endpoints"]["/score"]["parameters"]]
    assert parameters == ["seeker_post", "response_post", "abstain_below", "return_all_scores"]
    assert "how a response communicates empathy" in str(endpoints["named_endpoints"]["/score"])


@pytest.mark.parametrize(
    ("pair", "message"), [(("", "Why?"), "is empty"), (("I failed", "a" * 5001), "5,001 characters")]
)
def test_what_cannot_be_used_is_a_message(client, page, pair, message):
    with pytest.raises(AppError, match=message):
        client.predict(*pair, api_name="/score")
    assert "Traceback" not in page.output.read_text()


def test_many_at_once_get_each_their_own(client):
    responses = [f"I'm so sorry. {'Why? ' * number}" for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda response: client.predict(PAIR[0], response, api_name="/score"), responses))
    assert [client.predict(PAIR[0], response, api_name="/score") for response in responses] == found


def test_nothing_of_a_text_is_kept(client, page):
    client.predict(f"{SECRET} one", f"{SECRET} two", api_name="/score")
    with pytest.raises(AppError):
        client.predict(f"{SECRET} three" * 1000, "x", api_name="/score")
    with pytest.raises(AppError):
        client.predict(f"{SECRET} four", f"{SECRET} five", abstain_below=SECRET, api_name="/score")
    assert SECRET not in page.kept()
