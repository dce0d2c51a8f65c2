"""Words for queries and titles: colour, material, audience, and the noun of a category."""

import numpy as np
from numpy.typing import NDArray

COLOURS = (
    "black",
    "white",
    "grey",
    "blue",
    "navy",
    "red",
    "green",
    "olive",
    "beige",
    "brown",
    "yellow",
    "pink",
)
MATERIALS = (
    "cotton",
    "linen",
    "wool",
    "leather",
    "oak",
    "pine",
    "steel",
    "glass",
    "bamboo",
    "rubber",
    "felt",
    "canvas",
)
AUDIENCES = (
    "kids",
    "women",
    "men",
    "teens",
    "travel",
    "office",
    "garden",
    "kitchen",
    "sport",
    "camping",
    "school",
    "gifts",
)
NOUNS = (
    "jacket",
    "shirt",
    "dress",
    "boots",
    "sneakers",
    "backpack",
    "wallet",
    "belt",
    "hat",
    "scarf",
    "gloves",
    "watch",
    "lamp",
    "desk",
    "chair",
    "shelf",
    "rug",
    "mirror",
    "clock",
    "vase",
    "bowl",
    "mug",
    "bottle",
    "knife",
    "pan",
    "kettle",
    "tray",
    "box",
    "basket",
    "blanket",
    "pillow",
    "towel",
    "curtain",
    "tent",
    "mat",
    "ball",
    "bench",
    "stool",
    "frame",
    "planter",
)

_COUNTS = (len(COLOURS), len(MATERIALS), len(AUDIENCES))
_SYLLABLES = ("no", "va", "ri", "ka", "lu", "mo", "se", "ta")


def draw_descriptions(
    n: int, n_categories: int, rng: np.random.Generator, *, in_turn: bool = False
) -> NDArray[np.int64]:
    """Indices of colour, material, audience and noun, shape (n, 4).

    Args:
        n: how many; they differ from each other as long as there are enough words.
        n_categories: nouns in use.
        rng: source of chance.
        in_turn: take the nouns in turn, so that each has as many.
    """
    shape = (*_COUNTS, n_categories)
    total = int(np.prod(shape))
    drawn = rng.choice(total, n, replace=n > total)
    words = np.stack(np.unravel_index(drawn, shape), axis=1).astype(np.int64)
    if in_turn:
        words[:, 3] = np.arange(n) % n_categories
    return words


def describe(words: NDArray[np.int64]) -> list[str]:
    """Query texts such as "navy wool jacket for kids"."""
    return [
        f"{COLOURS[colour]} {MATERIALS[material]} {NOUNS[noun]} for {AUDIENCES[audience]}"
        for colour, material, audience, noun in words.tolist()
    ]


def name_items(words: NDArray[np.int64], brands: NDArray[np.int64]) -> list[str]:
    """Titles such as "Novari navy wool jacket for kids"."""
    return [
        f"{_brand_name(brand)} {text}"
        for brand, text in zip(brands.tolist(), describe(words), strict=True)
    ]


def _brand_name(brand: int) -> str:
    first, second, third = brand % 8, brand // 8 % 8, (brand * 5 + 3) % 8
    return (_SYLLABLES[first] + _SYLLABLES[second] + _SYLLABLES[third]).capitalize()
