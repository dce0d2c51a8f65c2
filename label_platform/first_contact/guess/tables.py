"""What samples of formats with one row per record suggest: native, KuaiRand, Open Bandit."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import (
    Option,
    Statements,
    first_given,
    said,
    shown,
)
from label_platform.lake import Engine, quote_literal
from label_platform.logs.kuairand import SECONDS, KuaiRandFormat
from label_platform.logs.open_bandit import policy_of

_TRUE = "('true', '1', 't', 'yes')"


class NativeGuess:
    """Our own keys; which table a file holds is told by its columns."""

    name = "native"
    names_feedback = True
    clocks: Mapping[str, int] = {"shown_at": 1, "occurred_at": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:  # noqa: ARG002
        """There are none."""
        return []

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        common = {
            "request": sample.text("request_id"),
            "item": sample.text("item_id"),
            "person": sample.text("user_id"),
        }
        if "position" in sample.columns and "shown_at" in sample.columns:
            return Statements(
                shown(
                    sample.table,
                    query=first_given(sample.text("query_id"), _is_there(sample, "query_text")),
                    device=sample.text("device"),
                    shuffled=f"lower({sample.text('randomized')}) in {_TRUE}",
                    moment=sample.moment("shown_at"),
                    **common,
                )
            )
        signal, moment = sample.text("signal"), sample.moment("occurred_at")
        return Statements(said=said(sample.table, signal=signal, moment=moment, **common))


class KuaiRandGuess:
    """One row per video shown, with all that came of it."""

    name = "kuairand"
    names_feedback = True
    clocks: Mapping[str, int] = {"time_ms": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:  # noqa: ARG002
        """There are none."""
        return []

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        common = {
            "request": NO_LIST_OF_ITS_OWN,
            "item": sample.text("video_id"),
            "person": sample.text("user_id"),
            "moment": sample.moment("time_ms"),
        }
        columns = {**KuaiRandFormat.feedback, **SECONDS}
        if "is_like" not in sample.columns:
            columns["like"] = "label"
        given = {
            signal: f"try_cast({sample.text(column)} as double) > 0"
            for signal, column in columns.items()
            if column in sample.columns
        }
        events = [
            said(
                f"(select * from {sample.table} where {is_given})",
                signal=quote_literal(signal),
                **common,
            )
            for signal, is_given in given.items()
        ]
        shuffled = f"lower({sample.text('is_rand')}) in {_TRUE}"
        lists = shown(sample.table, query="'all'", shuffled=shuffled, **common)
        return Statements(lists, " union all by name ".join(events))


class OpenBanditGuess:
    """One file per policy and campaign, one row per item shown; the random policy shuffled."""

    name = "open_bandit"
    names_feedback = True
    clocks: Mapping[str, int] = {"timestamp": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:  # noqa: ARG002
        """There are none."""
        return []

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        common = {
            "request": NO_LIST_OF_ITS_OWN,
            "item": sample.text("item_id"),
            "moment": sample.moment("timestamp"),
        }
        clicked = f"(select * from {sample.table} where {sample.text('click')} in ('1', '1.0'))"
        shuffled = str(policy_of(sample.path.as_posix()) == "random").lower()
        return Statements(
            shown(sample.table, query="'all'", shuffled=shuffled, **common),
            said(clicked, signal="'click'", **common),
        )


NO_LIST_OF_ITS_OWN = "uuid()::varchar"
"""Each row is a list: nothing in it needs to say so, but lists are to be counted."""


def _is_there(sample: Sample, name: str) -> str:
    """A number in place of a text: the query's id is then made from the text, of either kind."""
    return f"case when {sample.text(name)} is not null then '0' end"
