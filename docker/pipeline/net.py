"""What is trained: a net of two layers that tells the arms of a spiral apart. It knows nothing of servers."""

import numpy

ARMS, HIDDEN, POINTS = 3, 64, 400
STDDEV = 1 / numpy.sqrt(HIDDEN)
# Name, and the initial value, which the server makes.
WEIGHTS = {
    "hidden/weights": {"op": "random_normal", "shape": [2, HIDDEN], "stddev": 2.0, "seed": 1},
    "hidden/biases": {"op": "random_normal", "shape": [HIDDEN], "seed": 2},
    "output/weights": {"op": "random_normal", "shape": [HIDDEN, ARMS], "stddev": STDDEV, "seed": 3},
    "output/biases": {"op": "zeros", "shape": [ARMS]},
}


def points(seed):
    """(points, the arm that each is on); another seed gives others of the same spiral."""
    random = numpy.random.RandomState(seed)
    arms = random.randint(ARMS, size=POINTS)
    along = random.uniform(0.1, 1, POINTS)
    angle = 4 * along + 2 * numpy.pi * arms / ARMS + random.normal(0, 0.2, POINTS)
    return numpy.stack([along * numpy.cos(angle), along * numpy.sin(angle)], axis=1).astype("<f4"), arms


def scores(weights, where):
    """Of every arm, for every point; and the hidden layer."""
    hidden = numpy.tanh(where @ weights["hidden/weights"] + weights["hidden/biases"])
    return hidden @ weights["output/weights"] + weights["output/biases"], hidden


def gradients(weights, where, arms):
    """Of the mean cross-entropy, and that itself."""
    found, hidden = scores(weights, where)
    chances = numpy.exp(found - found.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    loss = -numpy.log(chances[numpy.arange(len(arms)), arms]).mean()
    chances[numpy.arange(len(arms)), arms] -= 1
    error = chances / len(arms)
    back = (error @ weights["output/weights"].T) * (1 - hidden ** 2)
    return float(loss), {
        "hidden/weights": where.T @ back, "hidden/biases": back.sum(axis=0),
        "output/weights": hidden.T @ error, "output/biases": error.sum(axis=0),
    }


def accuracy(weights, where, arms):
    """Which part of the points is told right."""
    return float((scores(weights, where)[0].argmax(axis=1) == arms).mean())
