"""Costs of reading, compared with the budget before anything is allocated or inflated."""

from __future__ import annotations

from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CorruptImageError

RAISE_BUDGET = "Raise the budget of the recipe if the file is right."
MEBIBYTE = 2**20


def check_file_bytes(count: int, budget: Budget) -> None:
    """Raise BudgetExceededError when a file of `count` bytes is too long, CorruptImageError when it is empty."""
    if count == 0:
        raise CorruptImageError("Expected an image file, found an empty one (0 bytes).")
    if count > budget.max_file_bytes:
        raise BudgetExceededError(
            f"Expected at most {budget.max_file_bytes / MEBIBYTE:.4g} MiB, found a file of {count / MEBIBYTE:.4g} MiB.",
            hint=RAISE_BUDGET,
        )


def check_image_size(width: int, height: int, bytes_per_pixel: int, budget: Budget) -> None:
    """Compare the size that a header states with the budget.

    Raises
    ------
    CorruptImageError
        When a side is not positive.
    BudgetExceededError
        When the pixels, or the bytes they decode to, are too many.
    """
    if width < 1 or height < 1:
        raise CorruptImageError(f"Expected an image with pixels, found a header of {width} x {height} px.")
    if width * height > budget.max_pixels:
        raise BudgetExceededError(
            f"Expected at most {budget.max_pixels:,} pixels, found a header of {width} x {height} px "
            f"({width * height:,}); nothing was decoded.",
            hint=RAISE_BUDGET,
        )
    check_decoded_bytes(width * height * bytes_per_pixel, budget)


def check_decoded_bytes(count: int, budget: Budget) -> None:
    """Raise BudgetExceededError when decoding would take `count` bytes and that is too many."""
    if count > budget.max_decoded_bytes:
        raise BudgetExceededError(
            f"Expected at most {budget.max_decoded_bytes / MEBIBYTE:.4g} MiB after decoding, the file asks for at "
            f"least {count / MEBIBYTE:.4g} MiB; it was not decoded.",
            hint=RAISE_BUDGET,
        )
