"""What a run's page says in words and tables: the answers on top, settings, cost, how to repeat it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from stylegraft.report.findings import FAIR_RATIO, GOOD_RATIO, Finding, Tone
from stylegraft.report.numbers import percent, plain
from stylegraft.report.reading import inner, number, text
from stylegraft.report.run_data import RunData

_FAMILIES = {"stylegan2": "StyleGAN2", "stylegan1": "StyleGAN v1"}
_COMMAND_LETTERS = 4000
_STILL_FALLING = 0.85  # a best distance in the last part of a run may not be its best yet


def clock(seconds: float) -> str:
    """Returns a time as people say it: 45 s, 12.5 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 600:
        return f"{seconds / 60:.1f} min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def kimg_text(kimg: float) -> str:
    """Returns thousands of images with the digits that matter."""
    return f"{kimg:,.0f} kimg" if kimg == 0 or kimg >= 99.95 else f"{kimg:,.1f} kimg"


def subtitle(run: RunData) -> str:
    """Returns what was trained, on what, from what and for how long, in a line."""
    parts = [_FAMILIES.get(text(run.config.get("family")), "")]
    if run.img_size:
        parts.append(f"{run.img_size[0]} x {run.img_size[1]} px")
    if num := _num_training_images(run):
        parts.append(f"{num:,} training images")
    parts.append(f"from {run.source_name}" if run.source_name else "from scratch")
    parts.append(f"{kimg_text(run.kimg)} in {clock(run.train_sec)}")
    return ", ".join(part for part in parts if part)


def run_findings(run: RunData) -> list[Finding]:
    """Returns the answers to: how good, when, how fast."""
    return [_quality(run), _moment(run), _speed(run)]


def _quality(run: RunData) -> Finding:
    question, best = "How near to real images?", run.best
    if best is None:
        return Finding(question, "unknown", "not measured", "No distance is in its log.", "")
    if not run.floor:
        answer = f"The lowest distance is {plain(best.distance)}. What real images score was not measured."
        return Finding(question, "unknown", plain(best.distance), answer, "")
    ratio = best.distance / run.floor
    answer = (
        f"The lowest FD-EffLite0 is {plain(best.distance)}, {ratio:.1f} times what real images score "
        f"({plain(run.floor)})."
    )
    tone: Tone = "good" if ratio <= GOOD_RATIO else "fair" if ratio <= FAIR_RATIO else "poor"
    advice = "" if run.evaluation else "stylegraft evaluate says how sure that is, and whether it copies."
    return Finding(question, tone, plain(best.distance), answer, advice)


def _moment(run: RunData) -> Finding:
    question, best = "When was it best?", run.best
    if best is None:
        return Finding(question, "unknown", "not known", "That takes distances: leave --eval-share on.", "")
    verdict = f"at {kimg_text(best.kimg)}"
    after = "" if best.train_sec is None else f", after {clock(best.train_sec)}"
    share = best.kimg / run.kimg if run.kimg else 1.0
    answer = f"That is {percent(share)} of the way{after}."
    if share >= _STILL_FALLING:
        return Finding(
            question, "fair", verdict, answer, "It may get better still: --resume with a larger budget."
        )
    last = run.distances[-1].distance
    answer += f" At the end the distance was {plain(last)}."
    return Finding(question, "good", verdict, answer, "Its checkpoint is kept, and every command takes it.")


def _speed(run: RunData) -> Finding:
    rates = [row["img_per_sec"] for row in run.rows if "img_per_sec" in row]
    if not rates:
        return Finding("How fast?", "unknown", "not known", "Its log has no rate yet.", "")
    measuring = sum(row.get("eval_sec", 0.0) for row in run.rows)
    share = min(measuring / run.train_sec, 1.0) if run.train_sec else 0.0
    answer = (
        f"The median of the time between two distances. In all {clock(run.train_sec)}, "
        f"{percent(share)} of it for distances."
    )
    return Finding("How fast?", "unknown", f"{plain(statistics.median(rates))} images/s", answer, "")


def settings_table(run: RunData) -> dict[str, str]:
    """Returns the settings that people ask for first; all of them are in the JSON at the page's end."""
    config = run.config
    get = _Getter(config)
    size = "" if run.img_size is None else f"{run.img_size[0]} x {run.img_size[1]} px"
    channels = get("generator", "img_channels")
    classes = get("generator", "mapping", "c_dim")
    augments = isinstance(config.get("augment"), dict)
    rows = {
        "images": _list(
            f"{num:,} to train on" if (num := _num_training_images(run)) else "",
            f"{percent(share)} held out" if (share := number(inner(config, "data", "holdout"))) else "",
            size,
            {"1": "grey", "3": "RGB"}.get(channels, f"{channels} channels"),
            f"{classes} classes" if classes not in ("", "0") else "",
            "mirrored" if inner(config, "data", "mirror") is True else "",
        ),
        "networks": _list(
            _FAMILIES.get(get("family"), get("family")),
            f"feature maps {_dashed(inner(config, 'generator', 'channels'))}",
            f"mapping {get('generator', 'mapping', 'num_layers')} layers",
            get("precision"),
        ),
        "budget": _list(
            f"{get('total_kimg')} kimg" if get("total_kimg") else "",
            f"{get('total_minutes')} min" if get("total_minutes") else "",
        ),
        "training": _list(
            f"batch {get('batch')}",
            f"lr {get('lr')}",
            f"R1 {get('r1_gamma')}",
            f"path length {get('pl_weight')}",
            f"average over {get('ema_kimg')} kimg",
            f"seed {get('seed')}",
        ),
        "augmentation": f"{get('ada', 'mode')} p, up to {get('ada', 'cap')}" if augments else "none",
    }
    if run.source is not None:
        rows["transfer"] = _transfer(run, get)
    return {name: value for name, value in rows.items() if value}


def cost_table(run: RunData) -> dict[str, str]:
    """Returns what the run took."""
    rates = [row["img_per_sec"] for row in run.rows if "img_per_sec" in row]
    measuring = [row["eval_sec"] for row in run.rows if "eval_sec" in row]
    rows = {"in all": f"{clock(run.train_sec)} for {kimg_text(run.kimg)}"}
    if rates:
        low, high = min(rates), max(rates)
        rows["training"] = (
            f"{plain(statistics.median(rates))} images/s ({plain(low)} to {plain(high)}), "
            f"{clock(1000 / statistics.median(rates))} for 1 kimg"
        )
    if measuring:
        rows["distances"] = f"{len(measuring)} in {clock(sum(measuring))}"
    if run.best is not None and run.best.train_sec is not None:
        rows["to its best"] = f"{clock(run.best.train_sec)} ({kimg_text(run.best.kimg)})"
    return rows


def origin_table(run: RunData) -> dict[str, str]:
    """Returns where data and weights came from, with hashes and terms."""
    config = run.config
    rows = {"images": _list(text(config.get("data_path")), _hash("content hash", config.get("data_hash")))}
    if run.source is not None:
        facts = run.source.get("facts")
        rows["source"] = _list(text(run.source.get("path")), _hash("SHA-256", run.source.get("sha256")))
        rows["licence of the source"] = text(inner(facts, "licence")) or "not stated"
        rows["source was trained on"] = text(inner(facts, "data_note"))
    versions = {text(saved.info.get("version")) for saved in run.saved} - {""}
    rows["stylegraft"] = ", ".join(sorted(versions))
    for session in run.sessions[:1]:
        rows["machine"] = machine_text(session.get("machine"))
    return {name: value for name, value in rows.items() if value}


def sessions_of(run: RunData) -> list[dict[str, str]]:
    """Returns when which command was given, oldest first."""
    return [
        {"when": text(session.get("started"), 40), "command": text(session.get("command"), _COMMAND_LETTERS)}
        for session in run.sessions
    ]


def machine_text(machine: object) -> str:
    """Returns a machine's facts in a line: its processor first, then whatever else was recorded."""
    if not isinstance(machine, Mapping):
        return ""
    parts = [text(machine.get("cpu"))]
    parts += [
        f"{text(name).replace('_', ' ')} {shown}"
        for name, value in list(machine.items())[:20]
        if name != "cpu" and (shown := _plain_value(value))
    ]
    return _list(*parts)


def surgery_lines(run: RunData) -> list[str]:
    """Returns what was done to the source's networks to fit them, as the run recorded it."""
    surgery = inner(run.source, "facts", "surgery")
    notes = inner(surgery, "notes")
    lines = [text(note) for note in notes[:20]] if isinstance(notes, list) else []
    networks = inner(surgery, "networks")
    for name, network in networks.items() if isinstance(networks, dict) else ():
        changes = inner(network, "changed")
        for change in changes[:20] if isinstance(changes, list) else ():
            tensors = inner(change, "tensors")
            count = len(tensors) if isinstance(tensors, list) else 0
            what = text(inner(change, "what")).replace("_", " ")
            lines.append(f"{text(name)}: {count} tensors {what}, {text(inner(change, 'why'))}")
    return lines


class _Getter:
    """Values of nested settings as text, empty where there are none."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def __call__(self, *keys: str) -> str:
        return _plain_value(inner(self._config, *keys))


def _plain_value(value: object) -> str:
    if isinstance(value, list):
        return " ".join(text(item) for item in value[:20])
    return f"{value:g}" if isinstance(value, float) else text(value)


def _transfer(run: RunData, get: _Getter) -> str:
    frozen = [
        f"{get('freeze_d')} layers of D" if get("freeze_d") not in ("", "0") else "",
        "mapping" if run.config.get("freeze_mapping") is True else "",
        f"{get('freeze_synthesis')} coarse blocks of G" if get("freeze_synthesis") not in ("", "0") else "",
    ]
    rates = [
        f"{name} {get(key)} x lr"
        for name, key in (("mapping", "lr_mapping"), ("synthesis", "lr_synthesis"), ("D", "lr_d"))
        if get(key) not in ("", "1")
    ]
    kept = _list(*frozen)
    return _list(
        f"from {run.source_name}",
        f"frozen: {kept}" if kept else "all layers trained",
        *rates,
        "networks fitted to the images" if surgery_lines(run) else "",
    )


def _num_training_images(run: RunData) -> int | None:
    counts = [number(saved.info.get("num_training_images")) for saved in run.saved]
    return int(counts[-1]) if counts and counts[-1] is not None else None


def _hash(kind: str, value: object) -> str:
    return f"{kind} {text(value)}" if text(value) else ""


def _dashed(values: object) -> str:
    return "-".join(text(value) for value in values[:16]) if isinstance(values, list) else ""


def _list(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
