/* GET /v1/backup: the whole store as one stream (store/backup.h), of one revision, while it serves.
 */
#include <inttypes.h>

#include "api/feed/stream.h"
#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "service/backup.h"

static ssize_t
read_backup(void *owner, uint8_t *out, size_t size)
{
    long got = service_backup_read(owner, out, size);

    if (got >= 0)
        return got;
    return got == SERVICE_BACKUP_END ? API_STREAM_END : API_STREAM_FAIL;
}

static void
drop_backup(void *owner)
{
    service_backup_drop(owner);
}

static void
wake_stream(void *stream)
{
    api_stream_wake(stream);
}

enum err_code
api_backup(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    static const struct api_stream_source source = {
        .read = read_backup, .drop = drop_backup, .ends = true};
    struct service_backup *backup = NULL;
    struct api_stream *stream = NULL;
    uint64_t revision;

    TRY(service_backup_open(api_request_service(rq), &backup, err));
    revision = service_backup_revision(backup);
    TRY(api_reply_stream(rq, rp, "application/vnd.tensorkeep.backup", &source, backup, &stream,
                         err));
    service_backup_on_wake(backup, wake_stream, stream);
    TRY(api_reply_revision(rp, revision, err));
    return api_reply_header(rp, "Content-Disposition", err,
                            "attachment; filename=\"tensorkeep-%" PRIu64 ".backup\"", revision);
}
