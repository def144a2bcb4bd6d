/* Which request it is: its id, and its place in a trace (W3C Trace Context, level 2): what came in
 * is logged and answered, so that a caller's trace goes on in our log. We send no spans anywhere.
 */
#ifndef API_OBSERVE_TRACE_H
#define API_OBSERVE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"

enum { API_TRACE_ID_CHARS = 32, API_SPAN_ID_CHARS = 16, API_TRACE_RESPONSE_BYTES = 64 };

struct api_request;

struct api_trace {
    bool given; /* by a traceparent that is one */
    bool sampled;
    char trace_id[API_TRACE_ID_CHARS + 1];
    char parent_id[API_SPAN_ID_CHARS + 1];
    char span_id[API_SPAN_ID_CHARS + 1]; /* ours */
};

/* The pure part: everything but span_id. False for what is no traceparent; then it is as if there
 * were none, as the specification has it. */
bool api_trace_parse(struct bytes traceparent, struct api_trace *out);

/* Once the head is there: the id that came, or a new one, and the trace. */
void api_trace_begin(struct api_request *rq);
/* The value of traceresponse. */
void api_trace_response(const struct api_trace *trace, char out[static API_TRACE_RESPONSE_BYTES]);

#endif
