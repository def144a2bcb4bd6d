/* Packing what is small enough to be in memory. */
#ifndef API_FILE_GZIP_H
#define API_FILE_GZIP_H

#include "store/base/buf.h"

/* Fills `out`, which is empty, with a gzip stream of `plain`; its maximum is the most it may have:
 * ERR_PAYLOAD_TOO_LARGE when it would have more. Fast rather than small. */
ERR_MUST_CHECK enum err_code api_gzip_pack(struct bytes plain, struct buf *out, struct err *err);

#endif
