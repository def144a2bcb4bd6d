/* Entity tags: "r<revision>-<representation>", strong. The revision says which state, the
 * representation which bytes of it (dtype, slice, format). */
#ifndef API_HTTP_ETAG_H
#define API_HTTP_ETAG_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_etag {
    bool weak;
    struct bytes tag; /* with its quotes, without W/ */
};

/* Cuts one tag off a list; false at the end, or where the list is malformed (*malformed). "*" is no
 * tag: ask api_etag_is_any first. */
bool api_etag_next(struct bytes *list, struct api_etag *out, bool *malformed);
bool api_etag_is_any(struct bytes list);
/* If-None-Match against our strong `tag`: weak comparison. Any malformed list matches nothing. */
bool api_etag_list_matches(struct bytes list, const char *tag);
/* If-Match against it: strong comparison. False: the list is malformed. */
bool api_etag_list_names(struct bytes list, const char *tag, bool *names);
/* The revision in one of our tags; false for a tag of somebody else. */
bool api_etag_revision(struct bytes tag, uint64_t *out);

#endif
