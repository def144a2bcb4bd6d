/* A disk that fails: system calls of this program that writing to a store comes down to, replaced
 * by ones that fail when asked to. A program that includes this has them replaced as a whole. */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

/* Which call: fdatasync; a write of data; LMDB's write of a meta page, which publishes them. */
enum fault { FAULT_NONE, FAULT_SYNC, FAULT_WRITE, FAULT_META_WRITE };

/* From the nth such call on (1: the next one) `count` of them fail with `error`; then things work
 * again. FAULT_NONE: all work at once. */
void faults_at(enum fault fault, int error, int nth, int count);
void faults_next(enum fault fault, int error, int count);

#endif
