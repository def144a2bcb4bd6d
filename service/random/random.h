/* TensorFlow r1.0's seeded random numbers on CPU, bit for bit; and, unless a profile says
 * otherwise, independent of the host's libm. Formulas: Philox4x32-10 (Salmon et al. 2011),
 * Box-Muller, and the exceptions of old glibc that the r1.0 wheels ran on; stated beside each
 * function. Everything is addressed by element: any range of a tensor can be produced without the
 * rest, in any order, on any number of threads. */
#ifndef SERVICE_RANDOM_RANDOM_H
#define SERVICE_RANDOM_RANDOM_H

#include "service/tensor/dtype.h"
#include "store/base/err.h"

/* What TensorFlow's kernels call (seed, seed2). */
struct random_seeds {
    uint64_t key, counter_high;
};

/* tf.get_seed: (graph, op) -> kernel seeds, each value reduced modulo 2^31-1 (Python's sign rule).
 * With neither given the caller draws two 64-bit numbers itself (random_entropy).
 * (0, 0) after reduction becomes (0, 2^31-1), as versions after 1.0 do, so that it stays
 * reproducible. */
struct random_seeds random_seeds_of(bool has_graph_seed, int64_t graph_seed, bool has_op_seed,
                                    int64_t op_seed, int64_t default_op_seed);
/* The op seed of a draw when only the graph (model) seed is given: from the variable's name and the
 * draw's position in its expression ("" for the root, "0", "1.0" …). FNV-1a 64 over name, 0 byte,
 * path, reduced modulo 2^31-1. */
int64_t random_derived_op_seed(struct bytes variable_name, struct bytes path);
/* 64 bits from the operating system. */
ERR_MUST_CHECK enum err_code random_entropy(uint64_t *out, struct err *err);

enum random_kind { RANDOM_UNIFORM, RANDOM_NORMAL, RANDOM_TRUNCATED_NORMAL };

/* Which TensorFlow build's normals: they follow its compiler and the libm it ran on (profile.c says
 * how). Uniforms do not depend on it. The first three are portable: the same bits everywhere;
 * the other two call the host's logf, sincosf, log, sin and cos, and mean what they say where that
 * is glibc 2.28 or later. Stored in records: the order stays. */
enum random_profile {
    RANDOM_PROFILE_R1_LINUX,        /* "r1-linux": the r1.0 wheels for Linux; what is meant by 0 */
    RANDOM_PROFILE_LATE_GLIBC_2_26, /* "late-glibc-2.26": later TensorFlow on glibc up to 2.26 */
    RANDOM_PROFILE_FLOAT_CR,        /* "float-cr": later TensorFlow on glibc 2.27 */
    RANDOM_PROFILE_MODERN_LINUX,    /* "modern-linux": later TensorFlow on this host's libm */
    RANDOM_PROFILE_R1_NEW_GLIBC,    /* "r1-new-glibc": an r1.0 wheel on this host's libm */
    RANDOM_PROFILE_COUNT
};

const char *random_profile_name(enum random_profile profile);
/* Whether its numbers are the same on every machine. */
bool random_profile_is_portable(enum random_profile profile);

struct random_stream {
    enum random_kind kind;
    enum dtype dtype; /* float16 (and bfloat16) float32 float64; RANDOM_UNIFORM also int32 int64 */
    enum random_profile profile;
    struct random_seeds seeds;
    uint64_t base_block; /* 0 for the first run of an op */
    int64_t low, high;   /* integer uniforms: [low, high) */
};

bool random_kind_known(enum random_kind kind, enum dtype dtype);
/* Elements [first, first + count) of the standard draw (uniform [0,1), normal(0,1)), row-major,
 * before scaling. The vectorised path; random_fill_plain is its twin. */
void random_fill(const struct random_stream *stream, uint64_t first, uint64_t count, void *out);
void random_fill_plain(const struct random_stream *stream, uint64_t first, uint64_t count,
                       void *out);

/* Words [first, first + count) of the stream as they are, four per block. */
void random_fill_words(const struct random_stream *stream, uint64_t first, uint64_t count,
                       uint32_t *out);
/* Output `index` of a gamma draw of float16, float32 or float64 (kind is not looked at); alpha is
 * positive and rounded to the dtype. 256 blocks are set aside for each output. */
double random_gamma(const struct random_stream *stream, uint64_t index, double alpha);

/* Philox4x32-10: one block. Known answers: Random123. */
void random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif
