"""The language domain at tiny size: real classes, no network."""

import random
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from days import a_round, contents, day, saved
from pydantic import TypeAdapter
from transformers import GenerationConfig

from sleepwake import recipe as recipes
from sleepwake import session
from sleepwake.domains import load_class
from sleepwake.domains.language import challenger_settings, judge_settings, training
from sleepwake.domains.language.challengers import Ladder
from sleepwake.domains.language.characters import Characters
from sleepwake.domains.language.codec import padded
from sleepwake.domains.language.domain import Language, build
from sleepwake.domains.language.families import Family, families
from sleepwake.domains.language.generation import complete
from sleepwake.domains.language.judges import Asked, Metamorphic, agreements
from sleepwake.domains.language.memory import Rewritten
from sleepwake.domains.language.monitors import goodhart, of_round
from sleepwake.domains.language.practice import Practice
from sleepwake.domains.language.problems import Batch, Challenge, Line, Problem, from_json, gathered, to_json
from sleepwake.domains.language.settings import CLASSES
from sleepwake.domains.language.tokenizer import ALPHABET, BOS, EOS, SIGN, VOCABULARY, CharacterCodec, decode, tokenizer
from sleepwake.errors import RecipeError
from sleepwake.records import Verdicts
from sleepwake.roles import Guard, Mind, NightBreachError

CPU = torch.device("cpu")
RECIPES = Path(__file__).parent.parent / "recipes" / "language"
NAMES = tuple(CLASSES["family"])
FAST = ("wake.steps=40", "sleep.rehearse.steps=3", "sleep.consolidate.steps=3")
GUARD = Guard()
FAMILIES = families(GUARD, NAMES)


def made(*changes: str, recipe: str = "tiny", seed: int = 100) -> Language:
    return build(recipes.load(RECIPES / f"{recipe}.toml", changes, seed), "cpu", ())


encode = CharacterCodec().encode


def learner(*changes: str) -> Characters:
    found: Characters = made(*changes).mind().learner
    return found


def truth(problems: Any) -> list[str]:
    return [FAMILIES[problem.family].solve(problem.text) for problem in problems]


def lines(family: str, level: int, n: int, seed: int = 0) -> list[Line]:
    draws, known = Random(seed), FAMILIES[family]
    texts = [known.sample(level, draws) for _ in range(n)]
    return [Line(Problem(family, text), known.solve(text)) for text in texts]


def test_every_type_in_a_recipe_has_its_class() -> None:
    for kinds in CLASSES.values():
        for path in kinds.values():
            assert callable(load_class(path))


# ------------------------------------------------------------------------------------------------------ families and relations


def test_answers_by_hand() -> None:
    solved = {"reverse": ("123", "321"), "copy": ("123", "123"), "sort": ("3112", "1123"), "sum": ("567", "518"),
              "parity": ("1101", "1"), "addition": ("21+93", "150")}  # fmt: skip
    for name, (problem, answer) in solved.items():
        assert FAMILIES[name].solve(problem) == answer
        assert FAMILIES[name].verify(problem, answer)
        assert not FAMILIES[name].verify(problem, answer + "0")


@pytest.mark.parametrize("name", NAMES)
def test_ground_truth_raises_by_night_and_syntax_does_not(name: str) -> None:
    family = FAMILIES[name]
    problem, written = family.sample(3, Random(0)), [family.sample(3, Random(at)) for at in range(30)]
    with GUARD.night():
        for read in (lambda: family.sample(3, Random(0)), lambda: family.solve(problem), lambda: family.verify(problem, "1")):
            with pytest.raises(NightBreachError):
                read()
            with GUARD.audit():
                read()
        assert family.well_formed(problem)
        assert family.level(problem) == 3
        pieces = (family.compose(iter(written), level) for level in (1, 2, 7))
        assert [family.level(piece) for piece in pieces if family.well_formed(piece)] == [1, 2, 7]


@pytest.mark.parametrize("name", NAMES)
def test_malformed_text_is_seen(name: str) -> None:
    family = FAMILIES[name]
    assert not any(map(family.well_formed, ("", "1=", "r1", "+", "1+", "12+3", "1+2+3", "?")))
    assert not any(map(family.answer_formed, ("", "+", "1+", "1=", "r")))


@pytest.mark.parametrize("name", NAMES)
def test_relations_hold_for_right_answers_and_ask_easier_questions(name: str) -> None:
    family = FAMILIES[name]
    for level in range(1, 14):
        for line in lines(name, level, 20, level):
            for relation in family.relations:
                parts = relation.parts(line.problem.text)
                assert len(parts) <= 3
                assert all(family.well_formed(part) and family.level(part) <= level for part in parts)
                assert line.problem.text not in parts, "a relation that asks the question itself is a vote"
                if parts:
                    assert (
                        relation.agreement(
                            line.problem.text, family.value(line.answer or ""), [family.value(family.solve(part)) for part in parts]
                        )
                        == 1
                    )


@pytest.mark.parametrize("name", [name for name in NAMES if FAMILIES[name].relations and name not in ("parity", "formats")])
def test_relations_see_wrong_answers(name: str) -> None:
    """One wrong digit, one left out, one too many: with right parts hardly any passes at the judge's threshold."""
    wrong = []
    for problem, answer, _ in lines(name, 8, 60):
        assert answer
        digit = next(char for char in "0123456789rcosap" if char != answer[3] and char.isdigit() == answer[3].isdigit())
        wrong += [Line(problem, text) for text in (answer[:3] + digit + answer[4:], answer[:-1], answer + "1")]
    rewards = agreements(FAMILIES, Batch(tuple(wrong)), truth)
    passed = sum((reward or 0) >= judge_settings.Metamorphic().threshold for reward in rewards)
    assert passed <= 0.05 * len(wrong)


def test_single_characters_say_nothing() -> None:
    rewards = agreements(FAMILIES, Batch((Line(Problem("reverse", "1"), "1"),)), truth)
    assert rewards == [None]


def test_a_judge_with_malformed_answers_abstains() -> None:
    attempt = Batch((Line(Problem("sum", "123456"), "136051"),))
    assert agreements(FAMILIES, attempt, truth) == [1.0]
    assert agreements(FAMILIES, attempt, lambda problems: [""] * len(problems)) == [None]


def test_a_snapshot_is_asked_about_a_part_once_and_a_new_one_again() -> None:
    """Of 1234: 12 and 34, 1 and 234."""
    judge = Metamorphic(judge_settings.Metamorphic(), FAMILIES, GUARD, lambda: None)  # type: ignore[arg-type, return-value]
    asked: list[Problem] = []
    attempts = Batch((Line(Problem("copy", "1234"), "1234"), Line(Problem("copy", "1234"), "4321")))
    for heard in (4, 0, 4):
        if heard:
            judge.snapshot = type("Solver", (), {"answer": lambda _, problems: asked.extend(problems) or truth(problems)})()
        before = len(asked)
        assert judge.rewards(attempts, 1) == [1.0, 0.0]
        assert len(asked) - before == len(set(asked[before:])) == heard


# ----------------------------------------------------------------------------------------------------- text, tokens, generation


def test_encode_is_what_the_tokenizer_does() -> None:
    text, one = f"r{ALPHABET}=12", tokenizer()
    assert one("<bos>" + text)["input_ids"] == encode(text)
    assert decode([*encode(text), EOS, 5, 6]) == text
    assert one.decode(encode(text), skip_special_tokens=True) == text
    assert len(one) == VOCABULARY
    assert all(one(FAMILIES[name].prefix)["input_ids"] == encode(FAMILIES[name].prefix)[1:] for name in NAMES)
    assert encode("=") == [BOS, SIGN]
    codec = CharacterCodec()
    assert codec.row(codec.prompt("r", "12"), "21") == ([*encode("r12=21"), EOS], 5)
    assert codec.tokenizer(codec.prompt("r", "12"))["input_ids"] == encode("r12=")


def test_lines_survive_json_and_selection() -> None:
    batch = Batch((Line(Problem("sum", "12"), "13", 3), Line(Problem("sum", "12"), "12"), Line(Problem("copy", "1"))))
    assert from_json(to_json(batch.lines)) == batch.lines
    assert batch.select([True, False, True]).concat(batch).lines == (batch.lines[0], batch.lines[2], *batch.lines)
    assert list(batch.by_problem().values()) == [[0, 1], [2]]
    assert [line.votes for line in gathered([Problem("sum", "12")], [["1", "2", "2"]]).lines] == [2, 1]


def test_generation_equals_transformers() -> None:
    model = learner().model
    prompts = [encode(text) for text in ("r1=", "c22=", "r345=")]
    ours = complete(model, prompts, (0.0,), 0, extra=4)
    for prompt, (answer,) in zip(prompts, ours, strict=True):
        tokens = torch.tensor([prompt], device=CPU)
        greedy = GenerationConfig(max_new_tokens=len(prompt) + 4, do_sample=False, pad_token_id=0, eos_token_id=EOS)
        with torch.device(CPU):
            theirs = model.generate(tokens, attention_mask=torch.ones_like(tokens), generation_config=greedy)
        assert decode(theirs[0, len(prompt) :].tolist()) == answer


def test_sampling_is_a_function_of_its_seed() -> None:
    model = learner().model
    prompts = [encode("r1="), encode("c2=")]
    first, again, other = (complete(model, prompts, (0.0, 1.0, 1.0), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert [answers[0] for answers in first] == [answers[0] for answers in other], "the greedy one has no seed"


def test_chunks_give_the_gradient_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [*lines("reverse", 2, 20), *lines("copy", 9, 20)]
    results = []
    for chunk in (7, 1000):
        monkeypatch.setattr(training, "CHUNK", chunk)
        one = learner()
        results.append((one.practise(lambda _: batch, 1, 1e-3, 1, 0.1)["loss_first"], one.lasting_state()))
    (loss, state), (other_loss, other_state) = results
    assert loss == pytest.approx(other_loss, abs=1e-5)
    assert all(torch.allclose(state[key], other_state[key], atol=1e-5) for key in state)


def test_weights_of_the_loss() -> None:
    codec = CharacterCodec()
    rows = [codec.row(codec.prompt("r", "12"), "21"), codec.row(codec.prompt("r", "1"), "1")]
    tokens, weight = padded(rows, codec.pad, 0.25, CPU)
    assert tokens.tolist() == [[*encode("r12=21"), EOS], [*encode("r1=1"), EOS, 0, 0]]
    assert weight.tolist() == [[0, 0.25, 0.25, 0.25, 0.25, 1, 1, 1], [0, 0.25, 0.25, 0.25, 1, 1, 0, 0]]
    assert padded(rows, codec.pad, [0.0, 0.25], CPU)[1].tolist() == [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0.25, 0.25, 0.25, 1, 1, 0, 0]]


# ------------------------------------------------------------------------------------------------------------------------ roles


def test_practice_keeps_the_newest() -> None:
    practice = Practice(3)
    old, new = lines("sum", 6, 3, 1), lines("sum", 6, 2, 2)
    practice.add("sum", 6, old)
    practice.add("sum", 6, [*new, Line(old[0].problem, "9")])
    practice.add("sum", 7, [])
    assert practice.all() == [*new, Line(old[0].problem, "9")]


def ladder(**changes: Any) -> Ladder:
    return Ladder(challenger_settings.Ladder(**changes), FAMILIES, 5)


def observed(one: Ladder, family: str, shares: dict[int, float]) -> None:
    """Ten problems a level of which a share was accepted."""
    tried = [(level, share, line) for level, share in shares.items() for line in lines(family, level, 10, level)]
    accepted = [at % 10 < round(10 * share) for at, (_, share, _) in enumerate(tried)]
    verdicts = Verdicts(tuple(map(float, accepted)), ("",) * len(tried))
    one.observe([Challenge(family, level, 10) for level in shares], Batch(tuple(line for _, _, line in tried)), verdicts)


def proposed(one: Ladder, *known: str) -> list[tuple[str, int, int]]:
    mind = learner()
    mind.known = known
    return [challenge[:3] for challenge in one.propose(Mind(mind, None, None, None, None, None), 0)]  # type: ignore[misc]


def test_the_ladder_climbs_waits_and_steps_back(tmp_path: Path) -> None:
    one = ladder(problems=30, lead=3)
    assert proposed(one, "sum", "copy") == [("sum", 5, 30), ("copy", 5, 30)]
    observed(one, "copy", {5: 0.9, 6: 0.9, 7: 0.5})
    assert one.level() == {"sum": 5, "copy": 7}
    assert proposed(one, "sum", "copy") == [("sum", 5, 30), ("copy", 7, 15), ("copy", 8, 15)]
    observed(one, "copy", {7: 0.9, 8: 0.9})
    assert proposed(one, "sum", "copy") == [("sum", 5, 30)], "copy is far ahead, and waits"
    observed(one, "copy", {9: 0.0})
    assert one.level()["copy"] == 8
    observed(one, "sum", {5: 0.0})
    assert one.level()["sum"] == 5, "never below the first level above the day's"
    assert {level: len(kept) for (_, level), kept in one.practice.lines.items()} == {5: 9, 6: 9, 7: 9, 8: 9}
    one.save(tmp_path)
    again = ladder(problems=30, lead=3)
    again.load(tmp_path)
    assert proposed(again, "sum", "copy") == proposed(one, "sum", "copy")
    assert again.practice.lines == one.practice.lines


def attempts() -> Batch:
    problem, other = Problem("reverse", "123456"), Problem("reverse", "654321")
    return Batch((Line(problem, "654321", 1), Line(problem, "654312", 6), Line(problem, "", 1), Line(other, "9", 4), Line(other, "1a", 3)))


def judged(kind: str, batch: Batch, guard: Guard = GUARD) -> Verdicts:
    chosen: Any = TypeAdapter(judge_settings.Judge).validate_python({"type": kind})
    judge = load_class(CLASSES["judge"][kind])(chosen, families(guard, NAMES), guard, learner)
    if kind == "metamorphic":
        judge.snapshot = type("Solver", (), {"answer": staticmethod(truth)})()
    for one in (judge, *getattr(judge, "members", ())):
        if isinstance(one, Asked) and one.snapshot is None:
            one.snapshot = one.fresh()
    verdicts: Verdicts = judge.verdicts(batch, 3)
    return verdicts


def test_judges() -> None:
    assert judged("metamorphic", attempts()).rewards == (1, 0, 0, 0, 0)
    assert judged("oracle", attempts()).rewards == (1, 0, 0, 0, 0)
    assert judged("majority", attempts()).accepted == (False, True, False, True, False)
    chance = judged("random", attempts())
    assert chance.rewards == judged("random", attempts()).rewards
    assert chance.rewards[2] == chance.rewards[4] == 0, "empty and malformed answers earn 0, even by chance"


@pytest.mark.parametrize("kind", [kind for kind in CLASSES["judge"] if kind not in ("pairwise", "rubrics")])  # they ask in words
def test_of_a_problem_at_most_one_attempt_is_accepted(kind: str) -> None:
    batch = attempts()
    accepted = judged(kind, batch).accepted
    assert all(sum(accepted[at] for at in positions) <= 1 for positions in batch.by_problem().values())


@pytest.mark.parametrize("kind", CLASSES["judge"])
def test_problems_alone_are_judged_for_validity(kind: str) -> None:
    batch = Batch(tuple(Line(Problem("reverse", text)) for text in ("12", "1+2", "12", "34")))
    verdicts = judged(kind, batch)
    assert verdicts.accepted == (True, False, False, True)
    assert verdicts.reasons == ("", "malformed problem", "a repetition", "")


def test_the_goodhart_gap_by_hand() -> None:
    """The best of the first problem is right and earned 0.8, that of the second is wrong and earned 0.6; the third wasn't judged."""
    batch = Batch((*attempts().lines, Line(Problem("copy", "1"), "1", 1)))
    verdicts = Verdicts((0.8, 0.0, 0.0, 0.6, 0.5, None), ("",) * 6)
    assert goodhart(batch, verdicts, [True, False, False, False, False, True]) == pytest.approx((0.8 - 1 + 0.6) / 2)
    assert goodhart(Batch(()), Verdicts((), ()), []) is None


def test_monitors_by_hand() -> None:
    """Two problems that share nothing."""
    assert of_round(attempts(), FAMILIES) == {
        "distinct_3": 1.0,
        "self_bleu": pytest.approx(120**-0.25, abs=1e-6),
        "vendi": 2.0,
        "problems": 2,
    }
    assert of_round(Batch(()), FAMILIES) == {"problems": 0}


def test_only_the_oracle_reads_the_truth_by_night() -> None:
    guard = Guard()
    with guard.night():
        assert judged("oracle", attempts(), guard).accepted[0]


# ------------------------------------------------------------------------------------------------------------------ whole minds


def test_a_day_teaches_and_a_night_repeats_exactly(tmp_path: Path) -> None:
    domain = made(*FAST)
    mind = domain.mind()
    facts = day(domain, mind)
    assert facts["loss_last"] < facts["loss_first"]
    dusk = saved(mind, tmp_path / "dusk")
    nights = []
    for name in ("first", "again"):
        fresh, before = domain.mind(), domain.mind()
        fresh.load(dusk)
        before.load(dusk)
        assert contents(saved(fresh, tmp_path / f"{name}-loaded")) == contents(dusk)
        material, verdicts, rehearsed = a_round(domain, fresh, dusk)
        assert len(material) == len(verdicts) > 0
        with domain.guard.night():
            consolidated = domain.consolidation.consolidate(fresh, before, 5)
        assert "skipped" in rehearsed or rehearsed["steps"] == 3
        assert consolidated["steps"] == 3
        audit = domain.audit(fresh, material, verdicts)
        assert audit["accepted"] == sum(verdicts.accepted)
        assert domain.describe(material, verdicts)[0]["problem"].endswith("=")
        nights.append((material, verdicts, contents(saved(fresh, tmp_path / name))))
    assert nights[0] == nights[1]
    assert nights[0][2]["learner/model.safetensors"] != contents(dusk)["learner/model.safetensors"]


def test_lora_learns_by_night_and_is_reset_at_dawn(tmp_path: Path) -> None:
    domain = made(*FAST, 'learner.fast="lora"', "learner.rank=4", 'judge.type="oracle"')
    mind = domain.mind()
    day(domain, mind)
    dusk = saved(mind, tmp_path / "dusk")
    lasting = {key: value.clone() for key, value in mind.learner.lasting_state().items()}
    problems = [line.problem for line in lines("copy", 2, 8)]
    answers = mind.learner.attempt(problems, (0.0,), 0)
    with domain.guard.night():
        mind.learner.practise(lambda _: [Line(Problem("copy", text), text) for text in ("11", "12", "31")], 3, 1e-2, 1, 0.1)
    assert all(torch.equal(lasting[key], value) for key, value in mind.learner.lasting_state().items()), "the lasting weights rest"
    night = saved(mind, tmp_path / "night")
    assert contents(night)["learner/adapter_model.safetensors"] != contents(dusk)["learner/adapter_model.safetensors"]
    again, before = domain.mind(), domain.mind()
    again.load(night)
    before.load(dusk)
    assert contents(saved(again, tmp_path / "again")) == contents(night)
    domain.consolidation.consolidate(again, before, 7)
    state = again.learner.model.state_dict()
    assert all(not value.any() for key, value in state.items() if "lora_B" in key), "a reset adapter changes nothing"
    assert any(not torch.equal(lasting[key], value) for key, value in again.learner.lasting_state().items())
    assert before.learner.attempt(problems, (0.0,), 0) == answers


def test_pieces_are_counted_of_the_dream_alone(tmp_path: Path) -> None:
    """Easy problems for rehearsal are written after it in a round, and don't change what is told of it."""
    domain = made("wake.steps=40")
    mind = domain.mind()
    day(domain, mind)
    dreamer, challenges = mind.dreamer, (Challenge("reverse", 2, 5), Challenge("reverse", 3, 5))
    dreamer.dream(challenges, mind.learner, 1)
    told = dict(dreamer.metrics()["pieces"])
    counts = dict(told["reverse"])
    assert set(told) == {"reverse"}
    assert counts.pop("written") == 40, "once for both challenges"
    assert 40 >= counts.pop("formed") == sum(counts.values()) > 0
    dreamer.answered((Challenge("reverse", 1, 5), Challenge("copy", 1, 5)), mind.learner, 2)
    assert dreamer.metrics()["pieces"] == told
    dreamer.save(tmp_path)
    again = domain.mind().dreamer
    again.load(tmp_path)
    assert again.metrics()["pieces"] == told


def test_grpo_returns_the_attempts_that_it_rewarded(tmp_path: Path) -> None:
    domain = made("wake.steps=40", "sleep.rehearse.steps=2", recipe="tiny-grpo")
    mind = domain.mind()
    day(domain, mind)
    dusk = saved(mind, tmp_path / "dusk")
    torch_state, python_state = torch.random.get_rng_state(), random.getstate()
    names = set(mind.learner.model.state_dict())
    material, verdicts, facts = a_round(domain, mind, dusk)
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert python_state == random.getstate()
    assert sum(line.votes for line in material.lines) == facts["samples"] == 2 * 8 * 4
    assert len(verdicts) == len(material)
    assert set(mind.learner.model.state_dict()) == names, "the trainer leaves nothing behind"
    assert "forward" not in vars(mind.learner.lasting)


@pytest.mark.parametrize("fast", ["full", "lora"])
@pytest.mark.parametrize("anchor", ["dusk", "round"])
def test_grpo_holds_the_policy_near_dusk_or_the_rounds_start(anchor: str, fast: str, tmp_path: Path) -> None:
    """The second step of a round already feels the divergence from a policy that is not where the round began, and only from that."""
    weights = []
    for beta in (0.0, 5.0):
        domain = made(f'learner.fast="{fast}"', f"sleep.rehearse={{type='grpo', steps=1, prompts=4, generations=2, longest=8, beta={beta}, "
                      f"anchor='{anchor}'}}", "wake.steps=20", recipe="tiny-grpo")  # fmt: skip
        mind, elsewhere = domain.mind(), domain.mind()
        day(domain, mind, 0)
        elsewhere.load(saved(mind, tmp_path / f"dusk-{beta}"))
        elsewhere.learner.practise(lambda step: lines("copy", 2, 8, step), 20, 5e-3, 1, 0.1)
        a_round(domain, mind, tmp_path / f"dusk-{beta}", dusk=elsewhere)
        weights.append(torch.cat([value.flatten() for value in mind.learner.lasting.state_dict().values()]))
    moved = not torch.equal(*weights)
    assert moved == (anchor == "dusk"), "at the round's start the divergence from itself has no gradient"


@pytest.mark.parametrize("replay", ["none", "generated", "exact"])
def test_replay_of_earlier_families(replay: str, tmp_path: Path) -> None:
    domain = made(*FAST, f'wake.replay.type="{replay}"', 'stream.tasks=[["reverse"], ["copy"]]', "wake.steps=150")
    mind = domain.mind()
    assert mind.memory.source(mind, domain.tasks[0], domain.examples(domain.tasks[0]), 0) is None
    day(domain, mind, 0)
    mind.learner.open(domain.tasks[1], 0)
    source = mind.memory.source(mind, domain.tasks[1], domain.examples(domain.tasks[1]), 0)
    if replay == "none":
        assert source is None
        return
    drawn = source.draw(10, 4)
    assert len(drawn) == 10
    assert drawn == source.draw(10, 4)
    assert {line.problem.family for line in drawn.lines} == {"reverse"}
    assert (domain.mind().memory.metrics()["bytes"], mind.memory.metrics()["bytes"] > 0) == (0, replay == "exact")
    if isinstance(source, Rewritten):
        assert source.learner is not mind.learner


def test_exact_memory_shares_its_budget() -> None:
    domain = made('wake.replay={type="exact", budget=100}', 'stream.tasks=[["reverse"], ["copy"]]')
    memory = domain.mind().memory
    for task in domain.tasks:
        memory.store(domain.mind(), task, domain.examples(task), 0)
    assert {name: len(kept) for name, kept in memory.by_family.items()} == {"reverse": 50, "copy": 50}


def test_kept_probes_are_held_back_from_the_day() -> None:
    domain = made()
    mind, task = domain.mind(), domain.tasks[0]
    examples = domain.examples(task)
    rest = mind.probes.keep(task, examples, 0)
    assert len(rest) == len(examples) - 8 * 2 * 2
    probes = mind.probes.score(mind.learner, 0)
    assert {(probe.task, probe.n) for probe in probes} == {("reverse+copy: reverse", 16), ("reverse+copy: copy", 16)}


def test_dreamed_probes_keep_nothing_of_the_day(tmp_path: Path) -> None:
    domain = made('morning.probes="dreamed"', 'stream.tasks=[["copy"]]')
    mind = domain.mind()
    day(domain, mind)
    assert mind.probes.metrics()["bytes"] == 0
    with domain.guard.night():
        mind.probes.draw(mind, 3)
        scores = mind.probes.score(mind.learner, 3)
    assert scores
    assert scores[0].score == 1.0, "at dusk the learner agrees with itself"
    assert scores[0].n > 0


def test_both_kinds_of_probes_guard_what_days_taught_and_what_nights_won(tmp_path: Path) -> None:
    domain = made('morning.probes="both"', 'stream.tasks=[["copy"]]')
    mind = domain.mind()
    day(domain, mind)
    with domain.guard.night():
        mind.probes.draw(mind, 3)
        scores = mind.probes.score(mind.learner, 3)
    assert [probe.task for probe in scores] == ["copy", "copy, dreamed"]
    assert mind.probes.metrics()["memory"] == mind.probes.kept.metrics()["memory"], "what is dreamed is no stored data"
    again = domain.mind()
    again.probes.load(saved(mind, tmp_path / "mind") / "probes")
    assert again.probes.score(mind.learner, 3) == scores
    with pytest.raises(RecipeError, match='probes = "kept"'):
        recipes.load(RECIPES.parent / "quickstart.toml", ['morning.probes="both"'], 0)


def test_frontier_is_contiguous_from_level_one(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = made()
    mind = domain.mind()
    mind.learner.known = ("reverse", "copy")
    solved = {"reverse": {1, 2, 4}, "copy": {2, 3}}

    def answer(problems: Any) -> list[str]:
        return [FAMILIES[p.family].solve(p.text) if len(p.text) in solved[p.family] else "" for p in problems]

    monkeypatch.setattr(mind.learner, "answer", answer)
    assert domain.frontier(mind) == {"reverse": 2, "copy": 0}


def test_families_protocol() -> None:
    typed: list[Family] = list(FAMILIES.values())
    assert len({family.prefix for family in typed}) == len(NAMES) - 3, (
        "formats are sums too; pairs, lookup and what they can't stand beside"
    )
    with pytest.raises(RecipeError, match="addition"):
        made('stream.tasks=[["addition"], ["formats"]]')


def test_a_night_that_raised_no_level_is_the_last_without_new_data(tmp_path: Path) -> None:
    """Levels open in a family's first round, which is no rise."""
    changes = ["policy.nights=3", "policy.ungrounded=1", "sleep.rehearse.steps=1", "sleep.consolidate.steps=1", "wake.steps=20"]
    opened = session.start(RECIPES / "tiny.toml", changes, 100, tmp_path / "run", False, "cpu", None, 0.0)
    assert opened.go_on(lambda _: None)
    events = session.committed(tmp_path / "run")
    levels = [event["facts"]["level"] for event in events if event["event"] == "staged" and event["stage"] == "rehearse"]
    assert all(level == {"reverse": 3, "copy": 3} for level in levels), "an untrained learner climbs nowhere"
    assert len([event for event in events if event["event"] == "gated" and event["kind"] == "morning"]) == 1
    assert "no level rose" in events[-1]["reason"]
