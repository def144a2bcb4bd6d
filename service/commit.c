#include "service/commit.h"

#include "service/state.h"

enum err_code
service_commit(struct service *service, store_unit *unit, void *context,
               const struct write_options *options, struct store_stage *stage, uint64_t *revision,
               struct err *err)
{
    const struct store_update_options how = {.stage = stage,
                                             .durable = options != NULL && options->durable};

    return store_update(service->store, unit, context, &how, revision, err);
}
