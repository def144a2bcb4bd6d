/* A backup of the store while it serves: its bytes are made by a thread of their own, at most so
 * many a second, because reading a whole store at full speed takes disk and memory away from
 * everybody else. How much it costs a writer is that and the disk space of what it overwrites
 * meanwhile. */
#ifndef SERVICE_BACKUP_H
#define SERVICE_BACKUP_H

#include "service/service.h"

struct service_backup;

/* What service_backup_read says besides a number of bytes. */
enum { SERVICE_BACKUP_LATER = 0, SERVICE_BACKUP_END = -1, SERVICE_BACKUP_FAILED = -2 };

/* One state of the store, as of now; takes as long as copying the records aside does. ERR_BUSY when
 * limits.backups_max are under way, ERR_FULL when there is no room for the records once more. */
ERR_MUST_CHECK enum err_code service_backup_open(struct service *service,
                                                 struct service_backup **out, struct err *err);
uint64_t service_backup_revision(const struct service_backup *b);
/* `wake(context)` is called, on the backup's thread, when read has said LATER and would not any
 * more. Never after service_backup_drop. */
void service_backup_on_wake(struct service_backup *b, void (*wake)(void *context), void *context);
/* Copies up to `size` bytes that are there; never waits. One thread at a time. A failure was
 * logged. */
long service_backup_read(struct service_backup *b, uint8_t *out, size_t size);
/* Ends it where it is. NULL is fine. */
void service_backup_drop(struct service_backup *b);

#endif
