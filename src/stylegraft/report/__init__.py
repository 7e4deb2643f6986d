"""Reports: from result JSON and pictures to sentences, tables and a page of HTML. Never torch."""

from stylegraft.report.evaluation_page import evaluation_page
from stylegraft.report.findings import Finding, findings
from stylegraft.report.numbers import Number, numbers
from stylegraft.report.writing import Written, write_report

__all__ = ["Finding", "Number", "Written", "evaluation_page", "findings", "numbers", "write_report"]
