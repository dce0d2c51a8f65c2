"""What ranking refuses."""


class TrainingError(ValueError):
    """Rows that no ranker can be trained or scored on: says what was found and what is needed."""
