"""W69: options were added for what developers could not decide; 1,500 of them."""

from tests.house.test_layers import test_options_are_few_and_explained as test_w69_options_are_few_and_explained

__all__ = ["test_w69_options_are_few_and_explained"]
