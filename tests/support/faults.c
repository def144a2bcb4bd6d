#include "tests/support/faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    _Atomic int fault; /* enum fault */
    _Atomic int error;
    _Atomic int ahead; /* calls that work before */
    _Atomic int left;  /* calls that fail before things work again */
} faults;

enum { META_WRITE_BYTES = 120 }; /* LMDB writes the changing part of a meta page by itself */

static bool
must_fail(enum fault fault)
{
    if (atomic_load(&faults.fault) != (int)fault || atomic_fetch_sub(&faults.ahead, 1) > 0 ||
        atomic_fetch_sub(&faults.left, 1) <= 0)
        return false;
    errno = atomic_load(&faults.error);
    return true;
}

void
faults_at(enum fault fault, int error, int nth, int count)
{
    atomic_store(&faults.fault, FAULT_NONE);
    atomic_store(&faults.error, error);
    atomic_store(&faults.ahead, nth - 1);
    atomic_store(&faults.left, count);
    atomic_store(&faults.fault, (int)fault);
}

void
faults_next(enum fault fault, int error, int count)
{
    faults_at(fault, error, 1, count);
}

int
fdatasync(int file)
{
    return must_fail(FAULT_SYNC) ? -1 : (int)syscall(SYS_fdatasync, file);
}

ssize_t
pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    if (must_fail(size == META_WRITE_BYTES ? FAULT_META_WRITE : FAULT_WRITE))
        return -1;
    return syscall(SYS_pwrite64, file, bytes, size, offset);
}

ssize_t
writev(int file, const struct iovec *pieces, int count)
{
    return must_fail(FAULT_WRITE) ? -1 : syscall(SYS_writev, file, pieces, count);
}
