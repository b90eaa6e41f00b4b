import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_constant, as_tensor, as_values, number, positive, shown


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u2", "u4", "i8", "f2", "f4", "f8", ">f4", ">i2"])
def test_arrays_keep_their_numbers_and_are_copies(dtype):
    array = np.array([[0, 1], [1, 1]], dtype=dtype)
    found = as_tensor(array)
    assert found.tolist() == array.tolist()
    assert found.dtype == torch.from_numpy(np.zeros(1, array.dtype.newbyteorder("="))).dtype
    array[0, 0] = 1
    assert found[0, 0] == 0


def test_what_a_long_double_holds_becomes_float64():
    found = as_tensor(np.array([0.1], dtype=np.longdouble))
    assert (found.dtype, found.item()) == (torch.float64, 0.1)


def test_what_is_no_dense_real_array_is_said():
    for given, kind in (
        (np.zeros(1, complex), "an array of complex128"),
        (np.array(["a"]), "an array of <U1"),
        ([1.0], "list"),
        (torch.zeros(1, dtype=torch.complex64), "a torch.strided tensor of torch.complex64"),
        (torch.eye(2).to_sparse(), "a torch.sparse_coo tensor of torch.float32"),
    ):
        with pytest.raises(InputError, match=f"^Expected rates as a dense .* of real numbers, got {kind}$"):
            as_values(given, name="rates")


def test_values_have_a_floating_dtype():
    half, whole = torch.ones(2).half(), torch.ones(2).int()
    assert as_values(half) is half
    assert as_values(whole).dtype == torch.float32
    assert as_values(whole, half).dtype == as_values(half.double(), half).dtype == torch.float16


def test_constants_are_finite_numbers():
    each = torch.tensor([0.1, 0.2], requires_grad=True)
    found = as_constant("alpha", each)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert found.tolist() == each.tolist()
    with torch.no_grad():
        each.zero_()
    assert found.all(), "a copy"
    for wrong in (np.nan, [0.1, np.inf], True, torch.tensor([True]), 1j, "a", None, [[1], [1, 2]]):
        with pytest.raises(InputError, match="Expected `alpha` to be a finite number, or one for each neuron, got"):
            as_constant("alpha", wrong)


def test_long_values_are_cut():
    assert shown("x" * 98) == "'" + "x" * 98 + "'"
    assert shown("x" * 300) == "'" + "x" * 99


def test_positive_takes_one_number_above_zero():
    for value in (2, 1e-300, np.float32(0.5), torch.tensor([[0.25]])):
        found = positive("slope", value)
        assert type(found) is float
        assert found == float(value)
    for value in (0, -1.5, torch.tensor(0.0)):
        with pytest.raises(InputError, match=r"^Expected `slope` to be positive, got (0|-1.5|0.0|tensor\(0\.\))$"):
            positive("slope", value)
    for value in (np.inf, "a", torch.tensor([1.0, 2.0]), []):
        with pytest.raises(
            InputError, match=r"^Expected `slope` to be positive, got .*, which is not one finite number$"
        ):
            positive("slope", value)


class Elsewhere(torch.Tensor):
    """A tensor that is not on the CPU, as far as one asks it."""

    is_cpu = False

    def __float__(self):
        self.reads = getattr(self, "reads", 0) + 1
        return float(self.as_subclass(torch.Tensor))


def test_constants_of_inference_have_no_version_and_are_read_each_time():
    with torch.inference_mode():
        leak = torch.tensor(0.5).as_subclass(Elsewhere)
        assert [number(leak), number(leak), leak.reads] == [0.5, 0.5, 2]


def test_a_constant_on_the_cpu_is_read_each_time_also_when_changed_through_its_data():
    leak = torch.tensor(0.5)
    assert number(leak) == 0.5
    leak.data.fill_(0.25)
    assert number(leak) == 0.25


def test_two_constants_elsewhere_are_kept_apart():
    one, other = (torch.tensor(x).as_subclass(Elsewhere) for x in (0.5, 0.25))
    for _ in range(3):
        assert [number(one), number(other)] == [0.5, 0.25]
    assert (one.reads, other.reads) == (1, 1)
