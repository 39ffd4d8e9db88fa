from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from segtune.errors import RecipeError
from segtune.recipe import Recipe
from segtune.recipe_files import dump_recipe, find_recipe, list_recipes, load_recipe, recipe_schema
from segtune.recipe_reference import reference
from segtune.zoo import MODELS, ModelSpec

ROOT = Path(__file__).parents[1]
MINIMAL = "model: PP-YOLOE_seg-S\n"


def _write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _error(path: str, overrides: tuple[str, ...] = ()) -> RecipeError:
    with pytest.raises(RecipeError) as refused:
        load_recipe(path, overrides)
    return refused.value


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_loads_by_name_with_and_without_suffix(name: str) -> None:
    recipe = load_recipe(name)

    assert recipe == load_recipe(f"{name}.yaml") == load_recipe(str(find_recipe(name)))
    assert recipe.model in {spec.name for spec in MODELS}


def test_fine_tuning_begins_with_the_numbers_of_paddlex() -> None:
    recipe = load_recipe("pp_yoloe_seg_s")

    assert (recipe.epochs, recipe.batch_size, recipe.optimizer.lr) == (40, 8, 1e-3)
    assert (recipe.schedule.warmup_steps, recipe.ema.decay, recipe.weights) == (100, 0.9998, "coco")
    assert (recipe.optimizer.name, recipe.optimizer.momentum) == ("momentum", 0.9)
    assert recipe.optimizer.weight_decay == 5e-4


@pytest.mark.parametrize(
    "spec", [spec for spec in MODELS if spec.family == "Mask R-CNN"], ids=lambda spec: spec.name
)
def test_r_cnns_begin_with_the_numbers_of_paddlex_and_of_their_authors(spec: ModelSpec) -> None:
    recipe = load_recipe(spec.recipe)
    cascade, slow_backbone = "Cascade" in spec.name, "SSLDv2" in spec.name

    assert (recipe.model, recipe.weights, recipe.freeze) == (spec.name, "coco", "upstream")
    assert (recipe.epochs, recipe.batch_size) == (40, 1 if cascade else 2)
    optimizer, schedule, augment = recipe.optimizer, recipe.schedule, recipe.augment
    assert (optimizer.name, optimizer.lr, optimizer.momentum) == ("momentum", 0.01, 0.9)
    assert (optimizer.weight_decay, optimizer.clip_norm) == (1e-4, 35 if cascade else None)
    rates = [optimizer.lr_scales.get(f"backbone.res{stage}", 1.0) for stage in range(2, 6)]
    assert rates == ([0.05, 0.05, 0.1, 0.15] if slow_backbone else [1.0] * 4)
    slow_start = slow_backbone or "ResNeXt" in spec.name
    assert (schedule.warmup_steps, schedule.warmup_start) == (100, 0.1 if slow_start else 0.001)
    first, second = (12 / 24, 22 / 24) if slow_backbone else (8 / 12, 11 / 12)
    assert (schedule.decay, schedule.gamma) == ("step", 0.1)
    assert schedule.milestones == pytest.approx((first, second), abs=1e-6)
    assert recipe.ema.decay == 0
    assert recipe.image_size == spec.preprocess.size_hw == (800, 1333)
    assert augment.sizes == (640, 672, 704, 736, 768, 800)
    assert (augment.distort, augment.expand, augment.crop, augment.flip) == (0, 0, 0, 0.5)


def test_all_faults_come_in_one_report_in_the_order_of_lines(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "modle: PP-YOLOE_seg-S\n"  # 1
        "model: PP-YOLOE_seg-Z\n"  # 2
        "epochs: many\n"  # 3
        "epochs: 4\n"  # 4
        "image_size: [320]\n"  # 5
        "optimizer:\n"  # 6
        "  lrr: 0.1\n"  # 7
        "  name: adam\n"  # 8
        "data: {root: a, train: b, worker: 2}\n"  # 9
        "lr: 0.1\n",  # 10
    )

    error = _error(path, ("seed=-1", "novalue"))

    lines = error.problem.splitlines()
    assert lines[0] == "the recipe has 12 faults"
    in_file = [f"line {number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 9, 10)]
    places = [line.strip().split(": ")[0] for line in lines[1:]]
    assert places == [*in_file, "--set novalue", "--set seed=-1"]
    assert error.where == path
    for words in (
        "modle is not a key of recipes; did you mean model?",
        "epochs should be a whole number, not the text 'many'",
        "epochs stands here a second time, after line 3",
        "image_size[1] is missing",
        "optimizer.lrr is not a key of recipes; did you mean optimizer.lr?",
        "optimizer.name should be one of 'momentum' or 'adamw', not the text 'adam'",
        "data.worker is not a key of recipes; did you mean data.workers?",
        "data has `root` as well as `train`",
        "lr is not a key of recipes; did you mean optimizer.lr?",
        "seed should be at least 0, not -1",
    ):
        assert words in error.problem


def test_one_fault_stands_alone_with_its_line_and_remedy(tmp_path: Path) -> None:
    error = _error(_write(tmp_path, MINIMAL + "optimizer:\n  lrr: 1\n"))

    assert error.problem == "optimizer.lrr is not a key of recipes"
    assert error.where == f"{tmp_path / 'mine.yaml'}, line 3, optimizer.lrr"
    assert error.remedy == "did you mean optimizer.lr?"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("epochs: '4'", "a whole number, not the text '4'", id="text for a number"),
        pytest.param("epochs: 4.0", "a whole number, not 4.0", id="fraction for a whole number"),
        pytest.param("augment: {flip: true}", "a number, not true", id="true for a number"),
        pytest.param("augment: {flip: 2}", "at most 1, not 2", id="beyond a bound"),
        pytest.param("tracking: {enabled: 1}", "true or false, not 1", id="number for true"),
        pytest.param("tracking: {experiment: 7}", "text (in quotes", id="number for text"),
        pytest.param("tracking: {experiment: ''}", "should not be empty", id="empty text"),
        pytest.param("optimizer: 3", "a group of keys, not 3", id="number for a group"),
        pytest.param("optimizer: {lr: .inf}", "a finite number", id="infinity"),
        pytest.param("data: {root: 3}", "should be text (in quotes", id="number for a path"),
        pytest.param("image_size: 320", "a list, not 320", id="number for a list"),
        pytest.param("schedule: {decay: no}", "the text 'no'", id="no stays text"),
        pytest.param("data: {train: a}", "without `val`", id="train without val"),
        pytest.param("image_size: [320, 330]", "multiples of 32", id="size off the strides"),
        pytest.param("augment: {sizes: [0]}", "augment.sizes[0] should be greater", id="no side"),
        pytest.param("optimizer: {lr_scales: {neck: -1}}", "at least 0, not -1", id="no rate"),
        pytest.param("? [a]\n: 1", "a key that is not a word", id="list for a key"),
    ],
)
def test_each_fault_is_told_in_plain_words(tmp_path: Path, line: str, words: str) -> None:
    error = _error(_write(tmp_path, f"{MINIMAL}{line}\n"))

    assert words in error.problem
    assert "line 2" in str(error.where)
    assert error.remedy


def test_the_nearest_size_that_fits_is_named(tmp_path: Path) -> None:
    error = _error(_write(tmp_path, MINIMAL + "image_size: [330, 10]\n"))

    assert error.remedy == "the nearest is [320, 32]"


def test_every_size_off_the_strides_is_told_in_one_report(tmp_path: Path) -> None:
    path = _write(tmp_path, MINIMAL + "image_size: [330, 320]\naugment:\n  sizes: [320, 340]\n")

    lines = _error(path).problem.splitlines()

    assert lines[1:] == [
        "  line 2: image_size should be multiples of 32 for PP-YOLOE_seg-S, not [330, 320]; "
        "the nearest is [320, 320]",
        "  line 4: augment.sizes should be multiples of 32 for PP-YOLOE_seg-S, not [320, 340]; "
        "the nearest is [320, 352]",
    ]


def test_sizes_that_fit_are_kept_in_order_with_what_is_repeated() -> None:
    recipe = load_recipe("pp_yoloe_seg_s", ["augment.sizes=[640, 480, 640]"])

    assert recipe.augment.sizes == (640, 480, 640)


@pytest.mark.parametrize(
    ("image_size", "sizes", "long_side"),
    [
        pytest.param("null", "[640, 1334]", 1333, id="of the model"),
        pytest.param("[320, 533]", "[320, 640]", 533, id="of the recipe"),
        pytest.param("[533, 320]", "[534]", 533, id="in either order"),
    ],
)
def test_no_short_side_is_beyond_the_limit_of_the_long_one(
    tmp_path: Path, image_size: str, sizes: str, long_side: int
) -> None:
    text = f"model: MaskRCNN-ResNet50-FPN\nimage_size: {image_size}\naugment: {{sizes: {sizes}}}\n"

    error = _error(_write(tmp_path, text))

    problem = f"augment.sizes has short sides beyond {long_side}, the limit of the long side"
    assert error.problem == problem
    assert "line 3" in str(error.where)
    assert "image_size" in str(error.remedy)


def test_a_model_that_keeps_the_ratio_of_sides_takes_any_size() -> None:
    overrides = ["image_size=[321, 535]", "augment.sizes=[287, 535]"]

    recipe = load_recipe("mask_rcnn_resnet50_fpn", overrides)

    assert (recipe.image_size, recipe.augment.sizes) == ((321, 535), (287, 535))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "holds no keys", id="empty"),
        pytest.param("- 1\n", "holds no keys", id="a list"),
        pytest.param("epochs: 3\n", "model is missing", id="no model"),
        pytest.param("model: 3\n", "model should be text", id="number for the model"),
        pytest.param("model: [1,\n", "is not YAML", id="cut in half"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    error = _error(_write(tmp_path, text))

    assert words in error.problem
    assert "faults" not in error.problem


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    assert "cannot be read" in _error(str(path)).problem


def test_a_name_that_is_no_recipe_brings_the_nearest() -> None:
    assert "did you mean pp_yoloe_seg_s?" in str(_error("pp_yoloe_seg").remedy)
    assert "did you mean" not in str(_error("nothing/like/it.yaml").remedy)
    assert "is a folder" in _error(str(ROOT)).problem


@pytest.mark.parametrize(
    ("override", "value"),
    [
        pytest.param("optimizer.lr=1e-4", 1e-4, id="number"),
        pytest.param("optimizer.clip_norm=null", None, id="null"),
        pytest.param("optimizer.name=adamw", "adamw", id="text"),
        pytest.param("optimizer.decay_norms=true", True, id="boolean"),
        pytest.param("image_size=[64, 32]", (64, 32), id="list"),
        pytest.param("data={root: pens}", {"root": Path("pens")}, id="group"),
        pytest.param(
            "optimizer.lr_scales={backbone.res3: 0.05}", {"backbone.res3": 0.05}, id="mapping"
        ),
        pytest.param("tracking.uri=http://host/?a=b", "http://host/?a=b", id="second ="),
        pytest.param("tracking.experiment='7'", "7", id="quotes make text"),
    ],
)
def test_overrides_are_typed_by_the_schema(override: str, value: object) -> None:
    recipe = load_recipe("pp_yoloe_seg_s", [override])

    found: object = recipe
    for key in override.split("=")[0].split("."):
        found = getattr(found, key)
    if isinstance(found, BaseModel) and isinstance(value, dict):
        assert {key: getattr(found, key) for key in value} == value
    else:
        assert found == value


def test_the_last_override_of_a_key_counts(tmp_path: Path) -> None:
    path = _write(tmp_path, MINIMAL + "epochs: 3\n")

    assert load_recipe(path, ["epochs=5", "epochs=7"]).epochs == 7


@pytest.mark.parametrize(
    ("override", "words"),
    [
        pytest.param("optimizer.lr", "is not key=value", id="no value"),
        pytest.param("=3", "is not key=value", id="no key"),
        pytest.param("optimizer.=3", "is not key=value", id="half a key"),
        pytest.param("optimizer.lr=[1", "not YAML", id="half a list"),
        pytest.param("optimizer.lr=", "a number, not null", id="empty value"),
        pytest.param("optimizer.lr=__import__('os')", "a number, not the text", id="code"),
        pytest.param("optimiser.lr=1", "optimiser is not a key", id="unknown group"),
        pytest.param("optimizer.learning=1", "optimizer.learning is not", id="unknown key"),
        pytest.param("epochs.x=1", "a whole number, not a group", id="key below a value"),
    ],
)
def test_a_bad_override_is_named_as_given(override: str, words: str) -> None:
    error = _error("pp_yoloe_seg_s", (override,))

    assert words in error.problem
    assert error.where == f"--set {override}"


@pytest.mark.parametrize("name", list_recipes())
def test_a_dumped_recipe_loads_equal(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(
        name, ["data.root=a b/é", "tracking.experiment='1e5'", "optimizer.lr=1e-5"]
    )

    text = dump_recipe(recipe)

    assert load_recipe(_write(tmp_path, text)) == recipe
    assert all(f"\n{key}:" in f"\n{text}" for key in Recipe.model_fields)


def test_the_shipped_schema_is_up_to_date() -> None:
    shipped = json.loads((ROOT / "recipes" / "schema.json").read_text(encoding="utf-8"))

    assert shipped == recipe_schema(), "run scripts/write_references.py"


def test_the_recipe_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")

    assert page == reference(), "run scripts/write_references.py"
    assert "| `optimizer.lr` | number > 0 | `0.001` | Peak learning rate. |" in page
