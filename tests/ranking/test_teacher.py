from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from label_platform.ranking import TrainingError, load_teacher, teacher_scores

NAMES = ["f_match", "f_price"]


def save(path: Path, names: list[str] | str = "auto", **parameters: object) -> lgb.Booster:
    rng = np.random.default_rng(3)
    matrix = rng.random((300, 2))
    label = (matrix[:, 0] > 0.7).astype(float)
    settings = {"verbosity": -1, "num_threads": 1, "objective": "regression", **parameters}
    trees = lgb.train(settings, lgb.Dataset(matrix, label, feature_name=names), 8)
    trees.save_model(path)
    return trees


@pytest.fixture
def rows() -> pa.Table:
    rng = np.random.default_rng(4)
    match, price = rng.random((2, 50)).astype(np.float32)
    price[0] = np.nan
    return pa.table({"f_price": price, "item_id": np.arange(50), "f_match": match})


@pytest.mark.parametrize("objective", ["regression", "binary"])
def test_scores_are_the_models_own_predictions(
    tmp_path: Path, rows: pa.Table, objective: str
) -> None:
    trees = save(tmp_path / "teacher.txt", NAMES, objective=objective)

    teacher = load_teacher(tmp_path / "teacher.txt", ["f_price", "f_match", "f_other"])

    matrix = np.column_stack([rows[name].to_numpy() for name in NAMES])
    scores = teacher_scores(teacher, rows)
    np.testing.assert_array_equal(scores, trees.predict(matrix))
    assert scores.max() == pytest.approx(1, abs=0.5)  # on the label's scale, 0 to 1
    assert (scores >= 0).all() or objective == "regression"
    np.testing.assert_array_equal(teacher_scores(teacher, rows.slice(10, 5)), scores[10:15])
    assert teacher_scores(teacher, rows.slice(0, 0)).tolist() == []


def test_a_missing_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    save(tmp_path / "teacher.txt", NAMES)

    with pytest.raises(TrainingError, match=r"techer\.txt: found no such file.*'teacher\.txt'"):
        load_teacher(tmp_path / "techer.txt", NAMES)
    with pytest.raises(TrainingError, match=r"found no such file, expected the teacher's"):
        load_teacher(tmp_path / "elsewhere" / "teacher.txt", NAMES)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.6])
def test_a_model_that_is_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "teacher.txt"
    save(path, NAMES)
    text = path.read_text()
    path.write_text(text[: int(kept * len(text))])

    with pytest.raises(TrainingError, match="no line 'end of trees', expected a LightGBM text"):
        load_teacher(path, NAMES)


@pytest.mark.parametrize("content", [b"{}", b"ustar\x00\xff\xfe", b"tree: of life\nend of trees\n"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "teacher.txt"
    path.write_bytes(content)

    with pytest.raises(TrainingError, match=r"teacher\.txt: found .*expected a LightGBM text"):
        load_teacher(path, NAMES)


def test_features_that_examples_do_not_have_are_named_with_the_nearest(tmp_path: Path) -> None:
    save(tmp_path / "teacher.txt", ["f_mach", "f_price"])

    with pytest.raises(
        TrainingError,
        match=r"model of 2 features, 1 of which .*'f_mach': did you mean 'f_match'\? valid: f_m",
    ):
        load_teacher(tmp_path / "teacher.txt", NAMES)


def test_features_without_names_are_not_taken_by_their_place(tmp_path: Path) -> None:
    save(tmp_path / "teacher.txt")

    with pytest.raises(TrainingError, match=r"2 of which the examples do not have.*'Column_0'"):
        load_teacher(tmp_path / "teacher.txt", NAMES)


def test_a_model_of_several_classes_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "teacher.txt", NAMES, objective="multiclass", num_class=3)

    with pytest.raises(TrainingError, match="model of 3 outputs, expected one score"):
        load_teacher(tmp_path / "teacher.txt", NAMES)
