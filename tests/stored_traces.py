"""The paper's online rule as it is printed: one eligibility trace per synapse and sample, in NumPy and float64."""

import numpy as np


def spikes_of(membrane, threshold):
    return (membrane >= threshold).astype(np.float64)


def surrogate(membrane, threshold):
    s = 1 / (1 + np.exp(-(membrane - threshold)))
    return s * (1 - s)


def online(weights, spikes, targets, alpha=0.1, threshold=1.0, mask=True, update=None, subtract=False, kind="reset"):
    """Run eq. 5-17 on one batch.

    ``update(weights, gradients)`` gives the weights of the next step; without it they stay fixed. ``kind`` says what
    is left of a trace in the next step: what its neuron's spike leaves (``reset``, the paper's), all, or nothing.
    Returns the gradients of each time step, the losses, the membranes of each layer and step, and the last weights.
    """
    weights = [w.copy() for w in weights]
    steps, batch, _ = spikes.shape
    traces = [np.zeros((batch, *w.shape)) for w in weights]
    membranes = [np.zeros((batch, len(w))) for w in weights]
    fired = [np.zeros((batch, len(w))) for w in weights]
    all_gradients, losses, history = [], [], []
    for t in range(steps):
        presynaptic = spikes[t]
        for i, w in enumerate(weights):
            kept = np.ones_like(fired[i]) if subtract else 1 - fired[i]  # a spike resets the membrane and the trace
            membranes[i] = (1 - alpha) * (membranes[i] * kept) + presynaptic @ w.T - subtract * threshold * fired[i]
            left = {"reset": kept[:, :, None], "leaky": 1.0, "instant": 0.0}[kind]
            traces[i] = (1 - alpha) * traces[i] * left + presynaptic[:, None, :]
            fired[i] = presynaptic = spikes_of(membranes[i], threshold)
        wrong = (targets[t] != fired[-1]) if mask else 1.0
        error = wrong * (threshold * targets[t] - membranes[-1])
        losses.append(0.5 * (error**2).sum() / batch)
        gradients = [np.zeros_like(w) for w in weights]
        delta = -error / batch
        for i in reversed(range(len(weights))):
            gradients[i] = np.einsum("bm,bmn->mn", delta, traces[i])
            if i:
                delta = (delta @ weights[i]) * surrogate(membranes[i - 1], threshold)
        all_gradients.append(gradients)
        history.append([m.copy() for m in membranes])
        if update is not None:
            weights = update(weights, gradients)
    return all_gradients, losses, history, weights
