"""Hard attention against loops in NumPy: equations 1 to 3 and Algorithm 1."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.hard_attention import MultiHeadHardAttention, gumbel_noise

HEADS, CODES, DIM, QUERY_DIM = 3, 5, 12, 7
KEY_DIM = DIM // HEADS
SEED = tf.constant([3, 4])


@pytest.fixture(scope="module")
def attention():
    return built(MultiHeadHardAttention(HEADS, CODES, DIM))


@pytest.fixture(scope="module")
def queries():
    return np.random.default_rng(1).normal(size=(2, 3, 2, 2, QUERY_DIM)).astype(np.float32)


def built(layer):
    """The layer with random weights, biases included."""
    rng = np.random.default_rng(0)
    layer.build((None, QUERY_DIM))
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.7))
    return layer


def numpy_weights(layer):
    """float64 (codebook, and kernel and bias of query, key and value)."""
    projections = (layer.query_projection, layer.key_projection, layer.value_projection)
    pairs = [(projection.kernel, projection.bias) for projection in projections]
    return np.float64(layer.codebook), [(np.float64(w), np.float64(b)) for w, b in pairs]


def noise_of(queries):
    """The layer's own noise under SEED: [n, heads, codes]."""
    count = int(np.prod(queries.shape[:-1]))
    return gumbel_noise((count, HEADS, CODES), SEED).numpy()


def slow_attention(queries, codebook, projections, noise):
    """Queries [n, D], noise [n, heads, codes] -> values, codes, logits, in loops."""
    (query_w, query_b), (key_w, key_b), (value_w, value_b) = projections
    keys, values = codebook @ key_w + key_b, codebook @ value_w + value_b
    picked = np.zeros((len(queries), DIM))
    codes = np.zeros((len(queries), HEADS), int)
    logits = np.zeros((len(queries), HEADS, CODES))
    for n, query in enumerate(queries):
        projected = query @ query_w + query_b
        for head in range(HEADS):
            part = slice(head * KEY_DIM, (head + 1) * KEY_DIM)
            for code in range(CODES):
                product = sum(projected[part] * keys[code, part])
                logits[n, head, code] = product / np.sqrt(KEY_DIM)
            codes[n, head] = np.argmax(logits[n, head] + noise[n, head])
            picked[n, part] = values[codes[n, head], part]
    return picked, codes, logits


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("sampled", [False, True])
def test_values_codes_and_logits_equal_a_loop(attention, queries, sampled, training):
    noise = noise_of(queries) * sampled
    out = attention(queries, seed=SEED if sampled else None, training=training)
    expected = slow_attention(queries.reshape(-1, QUERY_DIM), *numpy_weights(attention), noise)
    lead = queries.shape[:-1]
    np.testing.assert_allclose(out.values, expected[0].reshape(*lead, DIM), atol=1e-5)
    np.testing.assert_array_equal(out.codes, expected[1].reshape(*lead, HEADS))
    np.testing.assert_allclose(out.logits, expected[2].reshape(*lead, HEADS, CODES), atol=1e-5)
    assert out.codes.dtype == tf.int32


def test_straight_through_gradient_is_the_soft_path_s(attention, queries):
    """Central differences in NumPy of R . [softmax(chi + G) SG(V) + SG(onehot) V]."""
    rng = np.random.default_rng(2)
    flat = queries.reshape(-1, QUERY_DIM)[:3]
    direction = rng.normal(size=(3, DIM))
    noise = gumbel_noise((3, HEADS, CODES), SEED).numpy().astype(np.float64)
    codebook, projections = numpy_weights(attention)
    one_hot = np.eye(CODES)[slow_attention(flat, codebook, projections, noise)[1]]

    def values_of(codebook):
        value = codebook @ projections[2][0] + projections[2][1]
        return value.reshape(CODES, HEADS, KEY_DIM)

    fixed_values = values_of(codebook)

    def surrogate(flat, codebook):
        perturbed = slow_attention(flat, codebook, projections, noise)[2] + noise
        alpha = np.exp(perturbed - perturbed.max(-1, keepdims=True))
        alpha /= alpha.sum(-1, keepdims=True)
        soft = np.einsum("nhc,chd->nhd", alpha, fixed_values)
        hard = np.einsum("nhc,chd->nhd", one_hot, values_of(codebook))
        return np.sum(direction.reshape(3, HEADS, KEY_DIM) * (soft + hard))

    def differences(function, at, step=1e-5):
        slopes = np.zeros_like(at)
        for index in np.ndindex(*at.shape):
            up, down = at.copy(), at.copy()
            up[index] += step
            down[index] -= step
            slopes[index] = (function(up) - function(down)) / (2 * step)
        return slopes

    inputs = tf.constant(flat)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        values = attention(inputs, seed=SEED, training=True).values
        total = tf.reduce_sum(values * direction.astype(np.float32))
    query_slopes, codebook_slopes = tape.gradient(total, (inputs, attention.codebook.value))
    expected = differences(lambda x: surrogate(x, codebook), np.float64(flat))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(query_slopes, expected, atol=1e-4)
    expected = differences(lambda e: surrogate(np.float64(flat), e), codebook)
    np.testing.assert_allclose(codebook_slopes, expected, atol=1e-4)


def algorithm_1(logits, noise):
    """The paper's lines, one by one: one-hot weights [..., num_codes] of a softmax's gradient."""
    alpha = tf.nn.softmax(logits + noise)
    weights = tf.one_hot(tf.argmax(alpha, axis=-1), logits.shape[-1])
    return tf.stop_gradient(weights - alpha) + alpha


def test_values_and_gradients_equal_algorithm_1_written_out(attention, queries):
    """Q, K and V formed, one-hot weights multiplied with V, all gradients by TensorFlow."""

    def written_out(flat):
        keys = attention._heads(attention.key_projection(attention.codebook))
        values = attention._heads(attention.value_projection(attention.codebook))
        query = tf.reshape(attention.query_projection(flat), (-1, HEADS, KEY_DIM))
        logits = tf.einsum("nhd,hcd->nhc", query, keys) / KEY_DIM**0.5
        weights = algorithm_1(logits, noise_of(flat))
        return tf.reshape(tf.einsum("nhc,hcd->nhd", weights, values), (-1, DIM)), logits

    def layer(flat):
        out = attention(flat, seed=SEED, training=True)
        return out.values, out.logits

    flat = tf.constant(queries.reshape(-1, QUERY_DIM))
    rng = np.random.default_rng(3)
    directions = [np.float32(rng.normal(size=part.shape)) for part in layer(flat)]
    variables = [variable.value for variable in attention.trainable_variables]
    found = []
    for function in (written_out, layer):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            parts = function(flat)
            total = tf.add_n(
                [tf.reduce_sum(a * b) for a, b in zip(parts, directions, strict=True)]
            )
        found.append([*parts, *tape.gradient(total, [flat, *variables])])
    for expected, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5, rtol=1e-4)
    assert all(np.abs(part).max() > 1e-3 for part in found[1])


def test_without_seed_the_likeliest_code_is_taken(attention, queries):
    out = attention(queries)
    np.testing.assert_array_equal(out.codes, np.argmax(out.logits, axis=-1))


def test_the_same_seed_draws_the_same_codes(attention, queries):
    draws = [attention(queries, seed=seed).codes.numpy() for seed in (SEED, SEED, SEED + 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize("training", [False, True])
def test_lookup_gives_the_values_back_exactly(attention, queries, training):
    out = attention(queries, seed=SEED, training=training)
    np.testing.assert_array_equal(attention.lookup(out.codes), out.values)


def test_draws_follow_the_softmax(attention, queries):
    draws = 20_000
    query = tf.constant(queries.reshape(-1, QUERY_DIM)[:1])
    out = attention(tf.repeat(query, draws, axis=0), seed=SEED)
    share = np.stack([np.mean(out.codes == code, axis=0) for code in range(CODES)], axis=-1)
    expected = tf.nn.softmax(out.logits[0]).numpy()
    deviation = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(share - expected) < 5 * deviation).all()


def test_gumbel_noise_is_finite_and_standard():
    noise = gumbel_noise((200_000,), SEED).numpy()
    assert np.isfinite(noise).all()
    assert abs(noise.mean() - np.euler_gamma) < 0.02
    assert abs(noise.var() - np.pi**2 / 6) < 0.04


def test_bfloat16_keeps_float32_logits_and_exact_lookup(attention, queries):
    layer = built(MultiHeadHardAttention(HEADS, CODES, DIM, dtype="mixed_bfloat16"))
    out = layer(queries, seed=SEED, training=True)
    assert (out.values.dtype, out.logits.dtype) == (tf.bfloat16, tf.float32)
    np.testing.assert_array_equal(layer.lookup(out.codes), out.values)
    # bfloat16 has 8 bits: products of a few units are off by some hundredths.
    np.testing.assert_allclose(out.logits, attention.logits(queries), atol=0.2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0, 8, 16), "num_heads"), ((4, 1, 16), "num_codes"), ((3, 8, 16), "code_dim=16")],
)
def test_impossible_sizes_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        MultiHeadHardAttention(*arguments)
