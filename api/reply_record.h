/* A reply as it is written down, to be given again: status, headers and body, without what is of
 * one exchange only (time taken, request id). */
#ifndef API_REPLY_RECORD_H
#define API_REPLY_RECORD_H

#include "api/state.h"

enum { API_REPLY_RECORD_BYTES_MAX = 1 << 30 };

/* Appends a reply that is complete. */
ERR_MUST_CHECK enum err_code api_reply_encode(const struct api_reply *rp, struct buf *out,
                                              struct err *err);
/* Makes a fresh reply the one that was written down. Copies. ERR_DATA_LOSS. */
ERR_MUST_CHECK enum err_code api_reply_decode(struct bytes record, struct api_reply *rp,
                                              struct err *err);

#endif
