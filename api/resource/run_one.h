/* Requests that are one operation of a run: what their handlers share. */
#ifndef API_RESOURCE_RUN_ONE_H
#define API_RESOURCE_RUN_ONE_H

#include "api/reply.h"
#include "api/resource/run_json.h"
#include "api/tensors/parts.h"
#include "service/run/verb.h"

/* A run of one operation under way, and what its reply is rendered from. Drop: api_one_drop. */
struct api_one {
    struct api_parts parts;
    struct api_run run;
    struct run_op op;
    struct run_report report;
};
void api_one_drop(struct api_one *one);

/* Decodes the body (of verbs that take tensors also as api/tensors/parts.h has it), but for what
 * `one->op` has already; runs; replies with what the operation did, beside the revision. If-Match
 * is about the operation's variable. The name in the path is that of the variable, of verbs of one,
 * else of what else they work with. */
ERR_MUST_CHECK enum err_code api_run_one(struct api_request *rq, struct api_reply *rp,
                                         const struct verb *verb, struct err *err);
/* The first half of it: the operation is decoded, and nothing is done. */
ERR_MUST_CHECK enum err_code api_one_decode(struct api_request *rq, const struct verb *verb,
                                            struct api_one *one, struct err *err);
/* The same with an operation and conditions that are set already; `one->op` is decoded no more. */
ERR_MUST_CHECK enum err_code api_run_made(struct api_request *rq, struct api_reply *rp,
                                          struct api_one *one, struct err *err);

#endif
