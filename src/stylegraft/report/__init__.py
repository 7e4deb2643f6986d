"""Reports: from result JSON and pictures to sentences, tables and a page of HTML. Never torch."""

from stylegraft.report.findings import Finding, findings
from stylegraft.report.numbers import Number, numbers
from stylegraft.report.page import evaluation_page

__all__ = ["Finding", "Number", "evaluation_page", "findings", "numbers"]
