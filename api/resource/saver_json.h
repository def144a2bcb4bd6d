/* Savers as JSON: what a client states of one, and one as it is. */
#ifndef API_RESOURCE_SAVER_JSON_H
#define API_RESOURCE_SAVER_JSON_H

#include <jansson.h>

#include "api/request.h"
#include "service/run/run.h"
#include "service/saving/saver.h"

/* {"variables", "max_to_keep", "keep_checkpoint_every_n_hours", "reshape", "restore_sequentially",
 * "allow_empty", "pad_step_number", "sharded", "defer_build" (of one that is put),
 * "last_checkpoints", "recover_last_checkpoints"}. Borrows from the request's arena. */
ERR_MUST_CHECK enum err_code api_saver_take(struct api_request *rq, const struct api_value *body,
                                            bool put, struct saver_spec *out, struct err *err);
/* A new reference. What is stated reads back as it was, and there are "name", "built", "latest",
 * "last_checkpoints", "checkpoint_state", times and revisions. */
ERR_MUST_CHECK enum err_code api_describe_saver(const struct saver_info *info, json_t **out,
                                                struct err *err);
/* A new reference: an array of the names in `texts`, u32 length + bytes each. */
ERR_MUST_CHECK enum err_code api_describe_texts(struct bytes texts, json_t **out, struct err *err);
/* A new reference, of a save through a saver: {"saver", "removed", "kept"}; the last two are lists
 * of what it has pushed out of the saver's list, and are not told of a dry run. "name" is null when
 * the saver saves nothing. */
ERR_MUST_CHECK enum err_code api_describe_saver_dropped(const struct run_result *result,
                                                        json_t **out, struct err *err);

#endif
