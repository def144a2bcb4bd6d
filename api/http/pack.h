/* Replies that travel packed: documents of JSON and text, to clients that take gzip, where that
 * makes them smaller. Never tensors. A packed reply has an entity tag of its own. */
#ifndef API_HTTP_PACK_H
#define API_HTTP_PACK_H

#include "api/reply.h"

/* The reply is complete: packs it if that pays. Without memory for it, it goes as it is. */
void api_pack_reply(struct api_request *rq);
/* The tag of the packed form of what has the tag `etag`, with its quotes; false: there is no room
 * for one, and no packed form. */
bool api_pack_etag(const char *etag, char *out, size_t out_size);

#endif
