"""Attacks by the options of a training run, and by the checkpoints that it goes on from."""

import json

from tests.attacks.attempts import Attack, Files, refused


def refused_option(options: str, says: str, files: Files | None = None) -> Attack:
    """Training must refuse options before it loads anything: the encoder that they name does not exist."""
    name = f"{options}, where there is {', '.join(files)}" if files else options
    return refused(name, files or {}, f"train_hf.py --encoder nowhere --source sample {options}", says)


def checkpoint(**files: str) -> Files:
    """The folder `out/checkpoint-3` with these files, by their names without `.json`."""
    return {f"out/checkpoint-3/{name}.json": content for name, content in files.items()}


STATE = json.dumps({"global_step": 3, "log_history": []})
RESUME = "--output_dir out --resume_from_checkpoint"

ATTACKS: list[Attack] = [
    refused_option("--learning_rate -1", "learning_rate=-1.0: a number from 0"),
    refused_option("--learning_rate nan", "learning_rate=nan: a number from 0"),
    refused_option("--lr inf", "learning_rate=inf: a number from 0"),
    refused_option("--head_learning_rate -1", "head_learning_rate=-1.0: a number from 0"),
    refused_option("--num_train_epochs 0", "num_train_epochs=0.0: a number above 0"),
    refused_option("--num_train_epochs -3", "num_train_epochs=-3.0: a number above 0"),
    refused_option("--epochs nan", "num_train_epochs=nan: a number above 0"),
    refused_option("--max_steps 0", "max_steps=0: a whole number from 1"),
    refused_option("--max_steps -5", "max_steps=-5: a whole number from 1"),
    refused_option("--per_device_train_batch_size 0", "per_device_train_batch_size=0: a whole number from 1"),
    refused_option("--per_device_eval_batch_size -8", "per_device_eval_batch_size=-8: a whole number from 1"),
    refused_option("--batch_size 0", "per_device_train_batch_size=0: a whole number from 1"),
    refused_option("--gradient_accumulation_steps 0", "gradient_accumulation_steps=0: a whole number from 1"),
    refused_option("--warmup_steps -1", "warmup_steps=-1.0: a number from 0"),
    refused_option("--weight_decay -0.1", "weight_decay=-0.1: a number from 0"),
    refused_option("--max_grad_norm nan", "max_grad_norm=nan: a number from 0"),
    refused_option("--adam_beta2 1", "adam_beta2=1.0: a share from 0 to below 1"),
    refused_option("--level_smoothing 1", "level_smoothing=1.0: a share from 0 to below 1"),
    refused_option("--label_smoothing_factor 0.1", "level_smoothing smooths the labels"),
    refused_option("--lambda_EI -0.5", "lambda_EI=-0.5: a number from 0"),
    refused_option("--lambda_RE nan", "lambda_RE=nan: a number from 0"),
    refused_option("--head_dropout 1.5", "head_dropout=1.5: a share from 0 to 1"),
    refused_option("--level_dropout -0.1", "level_dropout=-0.1: a share from 0 to 1"),
    refused_option("--max_length 0", "max_length=0: at least 3"),
    refused_option("--seed -1", "seed=-1: a whole number from 0 to below"),
    refused_option("--seed 4294967296", "seed=4294967296: a whole number from 0 to below"),
    refused_option("--save_total_limit 0", "save_total_limit=0: a whole number from 1"),
    refused_option("--logging_steps 0", "logging_steps=0.0: a number above 0"),
    refused_option("--save_steps -1", "save_steps=-1.0: a number above 0"),
    refused_option("--measured_rationales -1", "measured_rationales=-1: a whole number from 0"),
    refused_option("--dataloader_num_workers -1", "dataloader_num_workers=-1: a whole number from 0"),
    refused_option("--save_strategy steps", "requires the save and eval strategy to match"),
    refused_option("--eval_strategy sometimes", "sometimes"),
    refused_option("--optim guesswork", "--optim: invalid choice: .guesswork"),
    refused_option("--mechanisms explorations explorations", "mechanisms=.*name one to three different ones"),
    refused_option(
        "--output_dir out", "--output_dir out: .*out is a file; name a folder", {"out": "what somebody wrote"}
    ),
    refused_option(
        "--output_dir out/new", "--output_dir out/new: .*out is a file; name a folder", {"out": "what somebody wrote"}
    ),
    refused_option(
        "--train_path explorations.csv",
        "--train_path explorations.csv: there is no such file",
        {"explorations.csv/inside.txt": "of a folder"},
    ),
    refused_option("--train_path explorations.csv", "--train_path explorations.csv: there is no such file"),
    refused_option("--decisions_of twin", "twin holds no checkpoint", {"twin/notes.txt": "no model"}),
    refused_option("--decisions_of MODEL --rationale_unit clause", "its rationale_unit is 'token', and this model's"),
    refused_option(f"{RESUME} last", "there is no whole checkpoint in 'out'"),
    refused_option(f"{RESUME} last", "there is no whole checkpoint in 'out'", checkpoint(config="{}")),
    refused_option(f"{RESUME} out/checkpoint-4", "checkpoint-4: there is no such folder", checkpoint(config="{}")),
    refused_option(
        f"{RESUME} ./out/checkpoint-3", "checkpoint-3: it was not written to its end", checkpoint(trainer_state="{")
    ),
    refused_option(
        f"{RESUME} out/checkpoint-3", r"checkpoint-3: model\*.safetensors is missing", checkpoint(trainer_state=STATE)
    ),
    refused_option(
        f"{RESUME} out/checkpoint-3",
        "checkpoint-3: model.safetensors: cut off or damaged",
        checkpoint(trainer_state=STATE) | {"out/checkpoint-3/model.safetensors": b"\xff" * 64},
    ),
    refused_option(f"{RESUME} MODEL", "it was not written to its end"),
    refused_option(f"--separate_models {RESUME} out/checkpoint-3", "separate models go on with 'last' alone"),
]
