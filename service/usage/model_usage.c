/* What a model really takes. */
#include "service/model.h"
#include "service/state.h"
#include "service/usage/tally.h"
#include "store/base/scope.h"

enum err_code
model_unique_bytes(struct service *service, const char *model, uint64_t *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(service_tally) tally = {.view = NULL};
    struct model_record record;
    uint32_t group = 0;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    service_tally_init(&tally, service, store_snapshot_view(snapshot));
    TRY(service_find_model(tally.view, model, &record, err));
    TRY(service_tally_add_model(&tally, record.id, &group, err));
    TRY(service_tally_run(&tally, err));
    *out = tally.groups[group].stored_bytes;
    return OK;
}
