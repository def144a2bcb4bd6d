/* How TensorFlow names the files of a checkpoint: what both formats have of it. */
#ifndef API_WIRE_TF_NAMES_H
#define API_WIRE_TF_NAMES_H

#include <inttypes.h>

#include "store/base/bytes.h"

/* "00002-of-00005": which of how many files. For printf: two uint32_t. */
#define API_TF_SHARD_FORMAT "%05" PRIu32 "-of-%05" PRIu32
#define API_TF_SHARD_ANY    UINT32_MAX /* "?????": all of them together, as state files have it */

enum { API_TF_SHARD_DIGITS = 5, API_TF_SHARD_BYTES = 2 * API_TF_SHARD_DIGITS + 4 };

/* False: it is no such text. Whether number < count is not looked at. */
bool api_tf_shard_read(const uint8_t text[static API_TF_SHARD_BYTES], uint32_t *number,
                       uint32_t *count);
/* Whether `wanted` means this prefix: with or without the folders before it. */
bool api_tf_prefix_is(struct bytes prefix, struct bytes wanted);

#endif
