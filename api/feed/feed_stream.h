/* A feed as server-sent events: hello, then what was missed, then what happens. */
#ifndef API_FEED_FEED_STREAM_H
#define API_FEED_FEED_STREAM_H

#include "api/feed/feed.h"

#define API_EVENT_STREAM "text/event-stream"

struct api_feed_query {
    struct api_feed_filter filter;
    bool has_since;
    uint64_t since;
    uint64_t limit;
    uint64_t heartbeat_ms;
};

/* A reply that goes on until the client leaves, or has been told `limit` changes. Worker. */
ERR_MUST_CHECK enum err_code api_feed_stream(struct api_request *rq, struct api_reply *rp,
                                             const struct api_feed_query *query, struct err *err);

#endif
