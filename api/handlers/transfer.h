/* What imports and exports have in common, wherever their files are. */
#ifndef API_HANDLERS_TRANSFER_H
#define API_HANDLERS_TRANSFER_H

#include "api/tensors/export.h"
#include "api/tensors/import.h"
#include "service/saving/checkpoint.h"

/* What an import is answered from. */
struct api_imported {
    struct checkpoint_info info;
    const struct api_import *import; /* borrowed */
};
/* api_render's; the result is a struct api_imported. */
enum err_code api_render_imported(struct api_request *rq, struct api_reply *rp, const void *result,
                                  uint64_t revision, struct err *err);
/* The import, which is open, becomes checkpoint `name` of the request's model. */
ERR_MUST_CHECK enum err_code api_transfer_in(struct api_request *rq, const char *name,
                                             bool overwrite, const struct write_options *options,
                                             struct api_imported *imported, uint64_t *revision,
                                             struct err *err);
/* All that an export of the checkpoint says beside its tensors. `pairs`: as checkpoint_read_all has
 * them. Borrows `info`; the rest lies in the request's arena. */
ERR_MUST_CHECK enum err_code api_transfer_out(struct api_request *rq,
                                              const struct checkpoint_info *info,
                                              struct bytes pairs, struct api_export *what,
                                              struct err *err);

#endif
