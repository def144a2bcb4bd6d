/* Seeds: TensorFlow's rules for two of them, ours for a draw that names none, and fresh ones. */
#include <errno.h>
#include <sys/random.h>

#include "service/random/random.h"
#include "store/base/check.h"

enum { SEED_MODULUS = 2147483647 }; /* 2^31 - 1 */

static const int64_t default_graph_seed = 87654321;

/* Python's %: never negative. */
static uint64_t
reduce(int64_t seed)
{
    int64_t rest = seed % SEED_MODULUS;

    return (uint64_t)(rest < 0 ? rest + SEED_MODULUS : rest);
}

struct random_seeds
random_seeds_of(bool has_graph_seed, int64_t graph_seed, bool has_op_seed, int64_t op_seed,
                int64_t default_op_seed)
{
    struct random_seeds seeds;

    CHECK(has_graph_seed || has_op_seed);
    seeds.key = reduce(has_graph_seed ? graph_seed : default_graph_seed);
    seeds.counter_high = reduce(has_op_seed ? op_seed : default_op_seed);
    if (seeds.key == 0 && seeds.counter_high == 0)
        seeds.counter_high = SEED_MODULUS;
    return seeds;
}

int64_t
random_derived_op_seed(struct bytes variable_name, struct bytes path)
{
    uint64_t hash = bytes_hash(BYTES_HASH_BEGIN, variable_name);

    hash = bytes_hash(bytes_hash(hash, bytes_of("", 1)), path);
    return (int64_t)(hash % SEED_MODULUS);
}

enum err_code
random_entropy(uint64_t *out, struct err *err)
{
    uint8_t bytes[sizeof *out];
    size_t got = 0;

    while (got < sizeof bytes) {
        ssize_t n = getrandom(bytes + got, sizeof bytes - got, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ERR_INTERNAL, "the system gives no random bytes (error %d)", errno);
        got += (size_t)n;
    }
    memcpy(out, bytes, sizeof bytes);
    return OK;
}
