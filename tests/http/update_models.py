"""Scatter ops and optimizers written a second time with numpy, as plainly as possible, to hold the server's against.

Arithmetic is in the variable's dtype, each operation rounded to it. A hyper-parameter is a float32 before it has that dtype,
as Python's floats are in TensorFlow; what slots start at has it at once."""

import formats

np = formats.np

# --- scatter ---


def divide(a, b):
    """Integers truncate."""
    if a.dtype.kind in "iu":
        return (np.abs(a) // np.abs(b) * np.sign(a) * np.sign(b)).astype(a.dtype)
    return a / b


SCATTER = {
    "update": lambda a, b: b, "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": divide,
    "min": lambda a, b: np.where(a < b, a, b), "max": lambda a, b: np.where(a > b, a, b),
}


def scatter(ref, verb, indices, updates):
    """One index after the other; updates may be one scalar for all."""
    out, rows = ref.copy(), np.asarray(indices).reshape(-1)
    each = np.broadcast_to(updates, (len(rows),) + ref.shape[1:]) if updates.ndim == 0 \
        else updates.reshape((len(rows),) + ref.shape[1:])
    with np.errstate(all="ignore"):
        for row, update in zip(rows, each):
            out[row] = SCATTER[verb](out[row], update)
    return out


def scatter_nd(ref, verb, indices, updates):
    """The last dimension of the indices says where in the first dimensions."""
    out, places = ref.copy(), indices.reshape(-1, indices.shape[-1])
    each = updates.reshape((len(places),) + ref.shape[indices.shape[-1]:])
    with np.errstate(all="ignore"):
        for place, update in zip(places, each):
            out[tuple(place)] = SCATTER[verb](out[tuple(place)], update)
    return out


# --- optimizers ---

DEFAULTS = {
    "gradient_descent": {}, "momentum": {"momentum": 0.0, "use_nesterov": False}, "adagrad": {"initial_accumulator_value": 0.1},
    "adadelta": {"rho": 0.95, "epsilon": 1e-8}, "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "rmsprop": {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10, "centered": False},
    "ftrl": {"learning_rate_power": -0.5, "initial_accumulator_value": 0.1, "l1_regularization_strength": 0.0,
             "l2_regularization_strength": 0.0},
    "proximal_gradient_descent": {"l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0},
    "proximal_adagrad": {"initial_accumulator_value": 0.1, "l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0},
    "adagrad_da": {"initial_gradient_squared_accumulator_value": 0.1, "l1_regularization_strength": 0.0,
                   "l2_regularization_strength": 0.0},
    "adamw": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, "adamax": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "lamb": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, "weight_decay": 0.0}, "addsign": {"alpha": 1.0, "beta": 0.9},
    "lars": {"momentum": 0.9, "weight_decay": 0.0001, "eeta": 0.001, "epsilon": 0.0},
}
# Not in r1.0: numbers have the variable's dtype at once, powers are float64.
BEYOND = ("adamw", "adamax", "lamb", "addsign", "lars")
# A sparse gradient is zero in the other rows, and moves them too.
EVERY_ROW = ("adam", "adamw", "lamb", "addsign")
# Suffixes of slots in the checkpoint, and what they start at: a number or a hyper-parameter.
SLOTS = {
    "gradient_descent": [], "momentum": [("Momentum", 0)], "adagrad": [("Adagrad", "initial_accumulator_value")],
    "adadelta": [("Adadelta", 0), ("Adadelta_1", 0)], "adam": [("Adam", 0), ("Adam_1", 0)],
    "rmsprop": [("RMSProp", 1), ("RMSProp_1", 0)], "ftrl": [("Ftrl", "initial_accumulator_value"), ("Ftrl_1", 0)],
    "proximal_gradient_descent": [], "proximal_adagrad": [("ProximalAdagrad", "initial_accumulator_value")],
    "adagrad_da": [("AdagradDA", 0), ("AdagradDA_1", "initial_gradient_squared_accumulator_value")],
    "adamw": [("AdamW", 0), ("AdamW_1", 0)], "adamax": [("AdaMax", 0), ("AdaMax_1", 0)], "lamb": [("LAMB", 0), ("LAMB_1", 0)],
    "addsign": [("AddSignOptimizer", 0)], "lars": [("LARSOptimizer", 0)],
}


def shrink(p, rate, l1, l2):
    """The proximal step."""
    one, zero = p.dtype.type(1), p.dtype.type(0)
    if l1 > 0:
        return np.sign(p) * np.maximum(np.abs(p) - rate * l1, zero) / (one + l2 * rate)
    return p / (one + l2 * rate)


def gradient_descent(_, w, __, g, rate):
    return w - rate * g


def momentum(h, w, slots, g, rate):
    slots[0] = slots[0] * h["momentum"] + g
    return w - (g * rate + slots[0] * h["momentum"] * rate if h["use_nesterov"] else slots[0] * rate)


def adagrad(_, w, slots, g, rate):
    slots[0] = slots[0] + g * g
    return w - g * rate / np.sqrt(slots[0])


def adadelta(h, w, slots, g, rate):
    one = w.dtype.type(1)
    slots[0] = slots[0] * h["rho"] + g * g * (one - h["rho"])
    step = np.sqrt(slots[1] + h["epsilon"]) / np.sqrt(slots[0] + h["epsilon"]) * g
    slots[1] = slots[1] * h["rho"] + step * step * (one - h["rho"])
    return w - step * rate


def adam(h, w, slots, g, rate):
    one = w.dtype.type(1)
    beta1_power, beta2_power = (w.dtype.type(power) for power in h["powers"])
    rate = rate * np.sqrt(one - beta2_power) / (one - beta1_power)
    slots[0] = slots[0] + (g - slots[0]) * (one - h["beta1"])
    slots[1] = slots[1] + (g * g - slots[1]) * (one - h["beta2"])
    return w - slots[0] * rate / (np.sqrt(slots[1]) + h["epsilon"])


def rmsprop(h, w, slots, g, rate):
    one, last = w.dtype.type(1), len(slots) - 1
    slots[0] = slots[0] + (g * g - slots[0]) * (one - h["decay"])
    below = slots[0] + h["epsilon"]
    if h["centered"]:
        slots[1] = slots[1] + (g - slots[1]) * (one - h["decay"])
        below = slots[0] - slots[1] * slots[1] + h["epsilon"]
    slots[last] = slots[last] * h["momentum"] + g * rate / np.sqrt(below)
    return w - slots[last]


def ftrl(h, w, slots, g, rate):
    more, power = slots[0] + g * g, -h["learning_rate_power"]
    slots[1] = slots[1] + g - (more ** power - slots[0] ** power) / rate * w
    slots[0] = more
    l1, two = h["l1_regularization_strength"], w.dtype.type(2)
    below = more ** power / rate + two * h["l2_regularization_strength"]
    return np.where(np.abs(slots[1]) > l1, (l1 * np.sign(slots[1]) - slots[1]) / below, w.dtype.type(0)).astype(w.dtype)


def proximal_gradient_descent(h, w, _, g, rate):
    return shrink(w - g * rate, rate, h["l1_regularization_strength"], h["l2_regularization_strength"])


def proximal_adagrad(h, w, slots, g, rate):
    slots[0] = slots[0] + g * g
    rate = rate / np.sqrt(slots[0])
    return shrink(w - g * rate, rate, h["l1_regularization_strength"], h["l2_regularization_strength"])


def adagrad_da(h, w, slots, g, rate):
    steps = w.dtype.type(h["global_step"] + 1)
    slots[0], slots[1] = slots[0] + g, slots[1] + g * g
    l1, above = h["l1_regularization_strength"] * steps, slots[0]
    if l1 > 0:
        above = np.sign(slots[0]) * np.maximum(np.abs(slots[0]) - l1, w.dtype.type(0))
    return -rate * above / (h["l2_regularization_strength"] * steps * rate + np.sqrt(slots[1]))


def adamw(h, w, slots, g, rate):
    w = w.copy()
    w[h["listed"]] -= w[h["listed"]] * h["weight_decay"]
    return adam(h, w, slots, g, rate)


def adamax(h, w, slots, g, rate):
    one = w.dtype.type(1)
    slots[0] = slots[0] + (g - slots[0]) * (one - h["beta1"])
    slots[1] = np.maximum(slots[1] * h["beta2"], np.abs(g))
    return w - rate / (one - w.dtype.type(h["powers"][0])) * slots[0] / (slots[1] + h["epsilon"])


def norm(array):
    return array.dtype.type(np.sqrt(np.sum(np.square(array, dtype="f8"))))


def lamb(h, w, slots, g, rate):
    one = w.dtype.type(1)
    beta1_power, beta2_power = (w.dtype.type(power) for power in h["powers"])
    slots[0] = slots[0] * h["beta1"] + g * (one - h["beta1"])
    slots[1] = slots[1] * h["beta2"] + g * g * (one - h["beta2"])
    step = slots[0] / (one - beta1_power) / (np.sqrt(slots[1] / (one - beta2_power)) + h["epsilon"]) + h["weight_decay"] * w
    ratio = norm(w) / norm(step) if norm(w) > 0 and norm(step) > 0 else one
    return w - ratio * rate * step


def lars(h, w, slots, g, rate):
    if not isinstance(h["listed"], np.ndarray) and norm(w) > 0 and norm(g) > 0:
        rate = rate * (h["eeta"] * norm(w) / (norm(g) + h["weight_decay"] * norm(w) + h["epsilon"]))
    if not isinstance(h["listed"], np.ndarray):
        g = g + h["weight_decay"] * w
    slots[0] = slots[0] * h["momentum"] + g
    return w - rate * slots[0]


def addsign(h, w, slots, g, rate):
    slots[0] = slots[0] * h["beta"] + g * (w.dtype.type(1) - h["beta"])
    return w - rate * (h["alpha"] + np.sign(g) * np.sign(slots[0])) * g


def clipped(gradients, limit):
    """clip_by_global_norm; of rows, their values as they come."""
    values = {name: each[1] if isinstance(each, tuple) else each for name, each in gradients.items()}
    norm = np.sqrt(sum(np.sum(np.square(each, dtype="f8")) for each in values.values()))
    scale = limit * min(1 / norm, 1 / limit) if norm > 0 else 1
    values = {name: (each * each.dtype.type(scale)) for name, each in values.items()}
    return {name: (each[0], values[name]) if isinstance(each, tuple) else values[name] for name, each in gradients.items()}


class Optimizer:
    """One optimizer with the variables and slots it has changed."""

    def __init__(self, kind, hyper, dtype):
        self.kind, self.dtype = kind, np.dtype(dtype)
        self.hyper = {**DEFAULTS[kind], **hyper}
        self.power = np.float64 if kind in BEYOND else np.float32
        self.slots, self.powers = {}, [self.power(self.hyper[beta]) for beta in self.betas()]
        self.global_step = 0

    def betas(self):
        """Hyper-parameters that are multiplied by themselves with every step."""
        if self.kind == "adamax":
            return ["beta1"]
        return ["beta1", "beta2"] if "beta1" in self.hyper else []

    def number(self, value):
        return self.dtype.type(value if self.kind in BEYOND else np.float32(value))

    def slot_list(self):
        """Suffix and initial value of each."""
        slots = list(SLOTS[self.kind])
        if self.hyper.get("centered"):
            slots[1:] = [("RMSProp_1", 0), ("RMSProp_2", 0)]
        return [(name, self.hyper[start] if isinstance(start, str) else start) for name, start in slots]

    def slots_of(self, name, shape):
        if name not in self.slots:
            self.slots[name] = [np.full(shape, start, self.dtype) for _, start in self.slot_list()]
        return self.slots[name]

    def apply(self, variables, gradients, rate):
        """New values of the variables. A gradient is an array, or rows and their values: summed by row first."""
        params = {key: value if isinstance(value, bool) else self.number(value) for key, value in self.hyper.items()}
        params.update(powers=list(self.powers), global_step=self.global_step)
        out = {}
        for name, gradient in gradients.items():
            w, rows = variables[name].copy(), slice(None)
            slots = self.slots_of(name, w.shape)
            if isinstance(gradient, tuple):
                rows, gradient = self.sums(*gradient)
            params["listed"] = rows
            if isinstance(rows, np.ndarray) and self.kind in EVERY_ROW:
                whole = np.zeros_like(w)
                whole[rows] = gradient
                rows, gradient = slice(None), whole
            part = [slot[rows] for slot in slots]
            with np.errstate(all="ignore"):
                w[rows] = globals()[self.kind](params, w[rows], part, gradient, self.number(rate))
            for slot, new in zip(slots, part):
                slot[rows] = new
            out[name] = w
        self.powers = [power * self.power(self.hyper[beta]) for power, beta in zip(self.powers, self.betas())]
        self.global_step += 1
        return out

    @staticmethod
    def sums(indices, values):
        rows = list(dict.fromkeys(indices.tolist()))
        total = np.zeros((len(rows),) + values.shape[1:], values.dtype)
        for index, value in zip(indices.tolist(), values):
            total[rows.index(index)] += value
        return np.array(rows, int), total


# --- moving averages ---


def average_rate(decay, num_updates):
    """1 - decay, which the number of updates may hold down in the beginning; of float32 tensors."""
    decay = np.float32(decay)
    if num_updates is not None:
        count = np.float32(num_updates)
        decay = min(decay, (np.float32(1) + count) / (np.float32(10) + count))
    return np.float32(1) - decay


class Average:
    """assign_moving_average on one variable."""

    def __init__(self, value, dtype, debias):
        self.number, self.debias = np.dtype(formats.NUMPY[dtype]).type, debias
        self.value = value
        self.biased, self.steps = np.zeros_like(value), np.zeros((), value.dtype)

    def move(self, towards, rate):
        rate, one = self.number(rate), self.number(1)
        if not self.debias:
            self.value = self.value - (self.value - towards) * rate
            return
        self.biased = self.biased - (self.biased - towards) * rate
        self.steps = self.steps + one
        self.value = self.value - (self.value - self.biased / (one - (one - rate) ** self.steps))


# --- gradients of several workers ---


def averaged(contributions):
    """Dense gradients: their mean. Rows: each over those gradients that have it, a row named twice by one summed first."""
    if not isinstance(contributions[0], tuple):
        total = np.zeros_like(contributions[0])
        for gradient in contributions:
            total = total + gradient
        return total / total.dtype.type(len(contributions))
    sums, counts = {}, {}
    for indices, values in contributions:
        for row, value in zip(*Optimizer.sums(indices, values)):
            sums[row] = sums[row] + value if row in sums else value
            counts[row] = counts.get(row, 0) + 1
    rows = sorted(sums)
    return np.array(rows), np.stack([sums[row] / sums[row].dtype.type(counts[row]) for row in rows])
