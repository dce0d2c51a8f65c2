"""Estimators of the examination curve: one file each, with its formula."""
