"""A newcomer's first ten minutes: a problem file from a look at the logs, a look at the machine.

``guess`` is behind ``label-platform init``, ``doctor`` behind ``label-platform doctor``.
"""
