"""Models that others trained: codec, templates, questions, MAGPIE, and a whole night of the full-size recipe with a fitted tiny model."""

import gzip
import json
import re
import shutil
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from random import Random

import chat_models
import pytest
import stories
import torch
from chat_models import asked, learner
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel
from typer.testing import CliRunner

from sleepwake import recipe as recipes
from sleepwake import recipebook, session
from sleepwake.cli import app
from sleepwake.derived import fingerprint
from sleepwake.diversity import distinct_n, vendi
from sleepwake.domains.language import settings
from sleepwake.domains.language.grpo import Sampled
from sleepwake.domains.language.likelihood import chosen as chosen_of
from sleepwake.domains.language.likelihood import over_rows
from sleepwake.domains.language.magpie import Magpie, grams, likeness
from sleepwake.domains.language.pretrained import PretrainedLearner, opened
from sleepwake.domains.language.problems import Challenge, Line, Problem
from sleepwake.domains.language.questions import Questions
from sleepwake.domains.language.text_codec import TextCodec
from sleepwake.domains.language.text_settings import FolderModel, Pretrained, QuestionSet
from sleepwake.errors import DataError, RecipeError
from sleepwake.roles import Guard, NightBreachError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder() -> Path:
    return chat_models.fitted()


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    return chat_models.sums(tmp_path_factory.mktemp("sums"))


# ------------------------------------------------------------------------------------------------------------------- codec


def test_a_row_is_the_template_with_its_answer(folder: Path) -> None:
    words = chat_models.tokenizer()
    codec = TextCodec(words, "chat")
    row = codec.row(codec.prompt("Say: ", "hi"), "ho")
    assert words.decode(row.tokens) == "<|im_start|>user\nSay: hi<|im_end|>\n<|im_start|>assistant\nho<|im_end|>"
    assert words.decode(row.tokens[row.answer :]) == "ho<|im_end|>"
    assert words.decode(codec.encode(codec.opening("Say: "))) == "<|im_start|>user\nSay: "
    assert codec.closing == "<|im_end|>"
    defaulted = TextCodec(chat_models.tokenizer(chat_models.DEFAULTED), "chat")
    assert defaulted.prompt("Say: ", "hi") == "<|im_start|>system\nBe kind.<|im_end|>\n" + codec.prompt("Say: ", "hi"), "as with Qwen2.5"
    assert defaulted.opening("Say: ") == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nSay: "
    plain = TextCodec(chat_models.tokenizer(), "plain")
    assert plain.prompt("", "1 + 1?") == "1 + 1?\nAnswer: "
    assert plain.closing == "Answer:"


def test_a_beginning_that_the_tokenizer_adds_stands_there_once() -> None:
    words = chat_models.tokenizer()
    words.bos_token = "<|endoftext|>"
    words.chat_template = "{{ bos_token }}" + chat_models.TEMPLATE
    assert TextCodec(words, "chat").prompt("", "hi").startswith("<|endoftext|><|im_start|>"), "here the tokenizer adds none"


def test_a_turn_s_end_is_the_template_s_and_not_the_text_s() -> None:
    """As with Gemma, whose tokenizer ends texts with another token than its template ends turns with."""
    words = chat_models.tokenizer()
    words.eos_token = "<|endoftext|>"
    assert TextCodec(words, "chat").end == words.convert_tokens_to_ids("<|im_end|>")
    assert words.eos_token == "<|im_end|>"
    plain = chat_models.tokenizer()
    plain.eos_token = "<|endoftext|>"
    assert TextCodec(plain, "plain").end == plain.convert_tokens_to_ids("<|endoftext|>")


def test_a_template_that_tells_the_date_tells_one_date() -> None:
    words = chat_models.tokenizer()
    words.chat_template = "{{ strftime_now('%d %b %Y') }}" + chat_models.TEMPLATE
    assert TextCodec(words, "chat").prompt("", "hi").startswith("26 Jul 2024<|im_start|>")


def test_nothing_drops_out(tmp_path: Path) -> None:
    """GPT-2 drops a tenth of its activations where its configuration says so; a run could not be repeated."""
    words = chat_models.tokenizer()
    words.save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=len(words), n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=2)
    with CPU:
        GPT2LMHeadModel(config).save_pretrained(tmp_path)
        model, _ = opened(tmp_path, CPU, torch.float32, "chat")
        tokens = torch.tensor([[5, 6, 7]])
        model.train()
        assert torch.equal(model(input_ids=tokens).logits, model(input_ids=tokens).logits)


def test_what_a_codec_can_t_do_without_is_told() -> None:
    words = chat_models.tokenizer()
    words.chat_template = None
    with pytest.raises(DataError, match="no chat template"):
        TextCodec(words, "chat")
    words.eos_token = None
    with pytest.raises(DataError, match="end-of-text"):
        TextCodec(words, "plain")


# ------------------------------------------------------------------------------------------------------------------- questions


def test_a_set_is_read_by_its_fields(tmp_path: Path) -> None:
    rows = [{"split": "train", "kind": "a", "q": f"q{at}", "a": f"so #### {at},000"} for at in range(4)]
    rows += [{"split": "test", "kind": "a", "q": "t", "a": "#### 7"}, {"split": "train", "kind": "b", "q": "other", "a": "#### 1"}]
    file = tmp_path / "set.jsonl.gz"
    with gzip.open(file, "wt") as lines:
        lines.write("\n".join(map(json.dumps, rows)))
    guard = Guard()
    chosen = QuestionSet(path="set.jsonl.gz", question="Q: {q}", answer="{a}", where={"kind": ("a",)}, extract="number", marker="####")
    found = Questions("one", chosen, guard, (tmp_path,))
    assert found.train == ["Q: q0", "Q: q1", "Q: q2", "Q: q3"]
    assert found.test == ["Q: t"]
    assert found.solve("Q: q1") == "so #### 1,000"
    assert found.verify("Q: q1", "it must be 5 #### 1000.0")
    assert found.verify("Q: q1", "1000") is False, "without the marker it is malformed"
    assert found.verify("never seen", "#### 1") is None
    assert found.sample(1, Random(0)) in found.train
    with guard.night():
        with pytest.raises(NightBreachError):
            found.sample(1, Random(0))
        with guard.audit():
            assert found.sample(1, Random(0)) == "Q: t", "audits see the test rows"
    assert not found.well_formed("And so on:")
    assert found.well_formed("What is that?")


def test_labels_are_closed_and_rows_without_a_split_are_split(tmp_path: Path) -> None:
    rows = [{"text": f"words {at}", "label": f"l{at % 3}"} for at in range(60)]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)))
    chosen = QuestionSet(path="s.jsonl", question="{text}", answer="{label}", test={}, closed=True)
    found = Questions("labels", chosen, Guard(), (tmp_path,))
    assert found.values == {"l0", "l1", "l2"}
    assert found.answer_formed(" L1 ")
    assert not found.answer_formed("l7")
    assert found.choices(1) == 3
    assert 4 < len(found.test) < 25, "about a fifth"
    assert not set(found.test) & set(found.train)


def test_a_set_of_the_hub_is_read_by_datasets(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is to the library what an id is; its splits become fields of the rows. Offline, an id is told."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    for split, rows in (("train", 3), ("test", 2)):
        lines = [json.dumps({"question": f"{split} {at}?", "answer": str(at)}) for at in range(rows)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    found = Questions("one", QuestionSet(hub=str(tmp_path)), Guard(), ())
    assert found.train == ["train 0?", "train 1?", "train 2?"]
    assert found.test == ["test 0?", "test 1?"]
    assert found.solve("train 2?") == "2"
    asked: dict[str, object] = {}
    monkeypatch.setattr("datasets.load_dataset", lambda *args, **more: asked.update(more) or {"train": [{"question": "q", "answer": "a"}]})
    with pytest.raises(DataError, match="for test"):
        Questions("one", QuestionSet(hub="owner/set", revision="abc"), Guard(), ())
    assert asked == {"revision": "abc"}
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"stream\.sets\.one: 'nobody/has-this' can't be fetched from the hub"):
        Questions("one", QuestionSet(hub="nobody/has-this", revision="0" * 40), Guard(), ())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"question": "{quest}"}, "no such field"),
        ({"train": {"split": "day"}}, "no rows for train"),
        ({"where": {"split": ["night"]}}, "leaves none of its 2 rows"),
        ({"marker": "####"}, "no answer says anything"),
        ({"extract": "number"}, "no answer says anything"),
        ({"test": {"split": "x"}}, "for test"),
    ],
)
def test_a_set_that_can_t_be_read_is_told(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(
        '{"split": "train", "question": "q", "answer": "a"}\n{"split": "test", "question": "r", "answer": "a"}\n'
    )
    with pytest.raises(DataError, match=says):
        Questions("s", QuestionSet.model_validate({"path": "s.jsonl", **changes}), Guard(), (tmp_path,))
    (tmp_path / "s.jsonl").write_text('\n{"split": "train", "question": "q", "answer": null}\n')
    with pytest.raises(DataError, match="row 2 has no such field, or null in it: 'answer'"):
        Questions("s", QuestionSet(path="s.jsonl"), Guard(), (tmp_path,))
    (tmp_path / "s.jsonl").write_text("\n")
    with pytest.raises(DataError, match="its file is empty"):
        Questions("s", QuestionSet(path="s.jsonl"), Guard(), (tmp_path,))
    for wrong in (b'{"split": "train"\n', b"\xff\xfe", b"[1, 2]\n"):
        (tmp_path / "s.jsonl").write_bytes(wrong)
        with pytest.raises(DataError, match="line 1"):
            Questions("s", QuestionSet(path="s.jsonl"), Guard(), (tmp_path,))
    (tmp_path / "s.jsonl.gz").write_text("no gzip")
    with pytest.raises(DataError, match="line 1"):
        Questions("s", QuestionSet(path="s.jsonl.gz"), Guard(), (tmp_path,))


def test_the_shared_sets_are_read_as_the_recipes_say(data: Path) -> None:
    gsm = Questions("g", QuestionSet(path="text/gsm8k.jsonl.gz", extract="number", marker="####"), Guard(), (data,))
    assert (len(gsm.train), len(gsm.test)) == (7473, 1319)
    assert gsm.value(gsm.answers[gsm.train[0]]) == "72"
    bank = Questions("b", QuestionSet(path="text/banking77.jsonl.gz", question="{text}", answer="{label}", closed=True), Guard(), (data,))
    assert len(bank.values) == 77
    svamp = QuestionSet(path="text/svamp.jsonl.gz", question="{Body}. {Question}", answer="{Answer}", extract="number", test={})
    assert Questions("s", svamp, Guard(), (data,)).values
    clinc = Questions("c", QuestionSet(path="text/clinc150.jsonl.gz", question="{text}", answer="{label}", closed=True), Guard(), (data,))
    assert len(clinc.values) == 151, "150 intents, and what is out of scope"
    assert len(clinc.train) == 15_100 - 2, "two of its training sentences are tests, too"
    assert not set(clinc.train) & set(clinc.test)
    banking = QuestionSet(
        path="text/clinc150.jsonl.gz", question="{text}", answer="{label}", closed=True, where={"label": ("transfer", "balance")}
    )
    few = Questions("d", banking, Guard(), (data,))
    assert (len(few.train), len(few.test), few.values) == (200, 60, {"transfer", "balance"})


# ------------------------------------------------------------------------------------------------------------------- learner


def test_the_fitted_model_knows_its_dialogue(folder: Path, sums: Questions) -> None:
    """Half of the sums were fitted word for word (loss under 0.3); most of them are answered right."""
    one = learner(folder, sums)
    right = sum(bool(sums.verify(text, answer)) for text, answer in zip(sums.train, one.answer(asked(*sums.train)), strict=True))
    assert right >= 40
    first, *others = one.attempt(asked(sums.train[3])[:1], (0.0, 1.0, 1.0, 0.0), 1)[0]
    assert first == others[-1] == one.answer(asked(sums.train[3]))[0], "greedy is greedy, wherever it stands"
    assert one.attempt(asked(*sums.train[:3]), (1.0, 1.0), 5) == one.attempt(asked(*sums.train[:3]), (1.0, 1.0), 5)


def test_it_writes_a_user_s_words(folder: Path, sums: Questions) -> None:
    written = learner(folder, sums, together=8).write("sums", 20, 30, 1)
    assert len(written) == 20
    assert sum(text.startswith("What is ") and text.endswith("?") for text in written) >= 15
    assert learner(folder, sums).write("sums", 5, 3, 1) == [""] * 5, "what has no end by then is empty"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT reads transformers' old name
@pytest.mark.parametrize("fast", ["lora", "full"])
def test_what_is_learned_is_saved_for_plain_libraries(fast: str, folder: Path, sums: Questions, tmp_path: Path) -> None:
    one = learner(folder, sums, fast=fast)
    lines = [Line(problem, "It is 0.") for problem in asked(*sums.train[:16])]
    one.practise(lambda _: lines, 25, 1e-2 if fast == "lora" else 3e-3, 3, 0.0)
    answers = one.answer([line.problem for line in lines])
    assert answers.count("It is 0.") >= 14
    one.save(tmp_path)
    twin = learner(folder, sums, fast=fast)
    assert twin.answer([line.problem for line in lines]) != answers
    twin.load(tmp_path)
    assert twin.answer([line.problem for line in lines]) == answers
    assert one.copy().answer([line.problem for line in lines]) == answers
    with CPU:
        kind = AutoPeftModelForCausalLM if fast == "lora" else AutoModelForCausalLM
        plain = kind.from_pretrained(tmp_path)
    tokens = torch.tensor([one.row(lines[0]).tokens], device="cpu")
    with torch.no_grad():
        assert torch.allclose(plain(input_ids=tokens).logits, one.model(input_ids=tokens).logits, atol=1e-4)


def test_copies_share_what_is_frozen(folder: Path, sums: Questions) -> None:
    one = learner(folder, sums)
    twin = one.copy()
    mine, other = dict(one.lasting.named_parameters()), dict(twin.lasting.named_parameters())
    assert all((mine[name].data_ptr() == other[name].data_ptr()) == ("lora_" not in name) for name in mine)
    one.train_only(fast=False)
    assert all(value.requires_grad == ("lora_" in name) for name, value in mine.items())


def test_another_model_than_the_run_s_own_is_told(folder: Path, sums: Questions, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    one = learner(tmp_path / "model", sums)
    (tmp_path / "saved").mkdir()
    one.save(tmp_path / "saved")
    (tmp_path / "model" / "config.json").write_text((tmp_path / "model" / "config.json").read_text() + "\n")
    with pytest.raises(DataError, match="not what this run began with"):
        one.load(tmp_path / "saved")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no safetensors"):
        learner(tmp_path / "empty", sums)


# ------------------------------------------------------------------------------------------------------------------- a real one


def test_a_real_pretrained_model_tells_stories(data: Path, tmp_path: Path) -> None:
    """stories260K by its own numbers: about 1.7 nats a token on stories (0.26 M weights; uniform guesses are 6.2), the same beginning as
    llama2.c tells, and sampled stories that differ where greedy ones don't.
    """
    with CPU:
        stories.write(data, tmp_path)
    rows = [{"split": split, "question": f"Once {split}", "answer": "end"} for split in ("train", "test")]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)))
    family = Questions("tales", QuestionSet(path=str(tmp_path / "s.jsonl")), Guard(), ())
    chosen = Pretrained(type="pretrained", model=FolderModel(type="folder", folder=str(tmp_path)), template="plain", longest=40)
    with CPU:
        one = PretrainedLearner(chosen, settings.Wake(), {"tales": family}, 0, CPU)
    with gzip.open(data / "text/tinystories_2mib.txt.gz", "rt") as file:
        text = file.read(1500)
    assert -2.2 < over_rows(one, [one.codec.row("<s>", text)], chosen_of)[0] < -1.2
    begun = "<s>Once upon a time"
    ((told,),) = one.say([begun], (0.0,), 0)
    assert told.startswith(", there was a little girl named Lily.")
    (greedy,), (sampled,) = one.say([begun], (0.0,) * 12, 0), one.say([begun], (1.0,) * 12, 0)
    assert vendi(sampled) > 4 > 1.1 > vendi(greedy)
    assert distinct_n(sampled, 3) > 3 * distinct_n(greedy, 3)
    kept = dict.fromkeys(sampled)
    assert len(kept) == 12
    assert all(likeness(grams(a), grams(b)) < 0.7 for a, b in pairwise(kept))
    with CPU:
        dreamer = Magpie(settings.Magpie(type="magpie", pool=16, attempts=0, shortest=20, longest=500, alike=0.7), {"tales": family}, 500)
        dreamed = dreamer.dream([Challenge("tales", 1, 6)], one, 3)
    counts = dreamer.filtered["tales"]
    assert counts["written"] == 16 > counts["formed"] >= counts["kept"] == len(dreamed) >= 2, "whole stories that are short enough"
    assert all(line.problem.text.startswith("Once") and line.problem.text.endswith(".") for line in dreamed.lines)


# ------------------------------------------------------------------------------------------------------------------- the whole path

SHORT = (
    "threads=1", "stream.examples=100", "stream.kept=8", "stream.tests=10", "stream.frontier_tests=20", "learner.rank=4", "learner.longest=16",
    "dreamer.pool=40", "dreamer.shortest=8", "dreamer.quality=0", "dreamer.alike=1.0", "dreamer.longest=40", "challenger.problems=8",
    "wake.steps=5", "wake.batch=8", "sleep.rounds=1", 'stream.sets.gsm8k={path="sums.jsonl", extract="number"}', "policy.nights=1",
)  # fmt: skip
SMALL = (
    *SHORT, "sleep.rehearse.steps=2", "sleep.rehearse.prompts=4", "sleep.rehearse.generations=4", "sleep.rehearse.longest=16",
    "sleep.consolidate.steps=2", "sleep.consolidate.batch=8", "policy.ungrounded=1",
)  # fmt: skip


def test_a_set_that_the_gate_would_hold_back_as_a_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    """Before any run folder is written: no day would be left to learn from."""
    chat_models.questions(tmp_path)
    asked = [f'learner.model={{type="folder", folder="{folder}"}}', *SMALL, "stream.kept=99"]
    with CPU:
        result = CliRunner().invoke(
            app,
            [*("run", "language/gsm8k-gpu", "--data", str(tmp_path), "--out", str(tmp_path / "run"))]
            + [part for line in asked for part in ("--set", line)],
        )
    assert result.exit_code == 2
    assert re.search(r"stream.kept: 99 of the \d+ questions of gsm8k are held back", result.stderr), result.stderr
    assert re.search(r"stream.kept = \d+, or a set with more questions", result.stderr)
    assert not (tmp_path / "run").exists()


def test_vllm_is_asked_for_only_where_it_is_installed(folder: Path) -> None:
    said = [f'learner.model={{type="folder", folder="{folder}"}}', "sleep.rehearse.vllm=true"]
    recipe = recipes.load(recipebook.find("language/gsm8k-gpu"), said, 0)
    if find_spec("vllm") is None:
        with pytest.raises(RecipeError, match="vLLM is not installed"):
            Sampled(recipe.sleep.rehearse, 1, 0.1)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="no learner of characters"):
        recipes.load(recipebook.find("language/tiny-grpo"), ["sleep.rehearse.vllm=true"], 0)


def test_gsm8k_s_recipe_from_the_first_day_to_the_report(folder: Path, tmp_path: Path) -> None:
    """With a model of the class that it names. Once in one go, once with a process's end after every phase: both are the same run."""
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]
    chat_models.questions(tmp_path)
    sets = [*SMALL, f'learner.model={{type="folder", folder="{folder}"}}']
    out = tmp_path / "run"
    with CPU:
        asked = [part for line in sets for part in ("--set", line)]
        result = CliRunner().invoke(app, ["run", "language/gsm8k-gpu", "--data", str(tmp_path), "--out", str(out), *asked])
        assert result.exit_code == 0, result.output
        file, cut = recipebook.find("language/gsm8k-gpu"), tmp_path / "cut"
        session.start(file, sets, None, cut, False, "cpu", tmp_path, 0.0).go_on(lambda _: None, 1)
        for _ in range(4):
            opened.cache_clear()
            session.reopen(cut, None, "cpu", tmp_path, print, 0.0).go_on(lambda _: None, 1)
        checked = CliRunner().invoke(app, ["eval", str(out), "--data", str(tmp_path)])
    assert fingerprint(cut) == fingerprint(out)
    assert checked.exit_code == 0, checked.output
    judged = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines() if '"what": "judge"' in line]
    assert judged[0]["monitors"]["problems"] >= judged[0]["judged"] / 8, "monitors see what nobody knows the answer to as well"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["status"] == "done"
    assert len(summary["nights"]) == 1
    assert (out / "report.html").exists()
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    staged = {event["stage"]: event["facts"] for event in events if event["event"] == "staged"}
    assert staged["rehearse"]["samples"] == 2 * 4 * 4, "steps x prompts x generations"
    (slept,) = [
        event["metrics"]["dreamer"]["questions"]["gsm8k"] for event in events if event.get("phase") == "round" and "metrics" in event
    ]
    assert slept["written"] == 40, "the dream's own pool; questions for rehearsal come after it"
    assert slept["kept"] == staged["dream"]["dreams"] == 8
    assert staged["consolidate"]["new"] > 0, "the night's practice is what it teaches"


def test_the_recipe_of_notes_with_a_model_of_the_class_that_it_names(folder: Path, tmp_path: Path) -> None:
    """What such a model writes as notes is of no use to it; they stand in the user's turn, after the system prompt of the template."""
    chat_models.questions(tmp_path)
    said = [*SHORT, f'learner.model={{type="folder", folder="{folder}"}}', "policy.ungrounded=0", "morning.tolerance=1"]
    with CPU:
        run = session.start(recipebook.find("language/notes-gpu"), said, None, tmp_path / "run", False, "cpu", tmp_path, 0.0)
        run.go_on(lambda _: None, 2)
        mind = run.domain.mind()
        mind.load(next((tmp_path / "run").glob("*-round")))
        assert session.reopen(tmp_path / "run", None, "cpu", tmp_path, print, 0.0).go_on(lambda _: None)
    notes = mind.learner.contexts["gsm8k"]
    assert notes.strip(), "written in the round"
    assert mind.learner.prompt(Problem("gsm8k", "?")).startswith(f"{chat_models.SYSTEM}<|im_start|>user\n{notes}?<|im_end|>")
    assert mind.learner.opening("gsm8k").startswith(f"{chat_models.SYSTEM}<|im_start|>user\n")
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    staged = {event["stage"]: event["facts"] for event in events if event["event"] == "staged"}
    assert len(staged["consolidate"]["rounds"]) == 2, "before the night and after its round"
