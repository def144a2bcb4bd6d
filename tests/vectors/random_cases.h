/* The shape of the rows in random.inc, and the file itself. */
#ifndef TESTS_VECTORS_RANDOM_CASES_H
#define TESTS_VECTORS_RANDOM_CASES_H

#include "service/random/random.h"

/* tf.get_seed: what is given, and the kernel's pair. */
struct seed_case {
    bool has_graph_seed;
    int64_t graph_seed;
    bool has_op_seed;
    int64_t op_seed, default_op_seed;
    uint64_t key, counter_high;
};

/* Two words and the bits of the two float32 normals. */
struct pair_case {
    enum random_profile profile;
    uint32_t radius_word, angle_word, normals[2];
};

/* SHA-256 of the radii, sines and cosines of all 2^23 inputs. */
struct table_case {
    enum random_profile profile;
    const char *radius, *sine, *cosine;
};

struct block_case {
    const char *id;
    uint32_t key[2], counter[4], expected[4];
};

enum draw_style {
    STYLE_FIXED,    /* printed with eight decimals, trailing zeros dropped */
    STYLE_SHORTEST, /* shortest text that reads back, of at most eight decimals */
    STYLE_FLOAT32,  /* text that reads back as the float32 */
    STYLE_EXACT,    /* integers */
    STYLE_BITS,     /* IEEE bits in hex */
    STYLE_CLOSE     /* within 1e-6 + 1e-6 relative */
};

struct draw_case {
    const char *id, *skip; /* skip: why the case is left out; all else is 0 then */
    enum random_kind kind;
    enum dtype dtype;
    enum random_profile profile;
    bool has_key, has_graph_seed, has_op_seed;
    uint64_t key, counter_high, base_block;
    int64_t graph_seed, op_seed, default_op_seed;
    double offset, scale, top; /* mean and stddev, or minimum and maximum */
    int64_t low, high;
    uint64_t count, first_run, runs,
        select; /* elements of a run; which of the result are expected */
    enum draw_style style;
    size_t expected_count;
    const char *const *expected;
    const char *sha256; /* of the whole result, or NULL */
};

#endif
