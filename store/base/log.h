/* One JSON object a line on standard error. Client text is escaped and cut; identical messages are
 * written at most once a second. */
#ifndef STORE_BASE_LOG_H
#define STORE_BASE_LOG_H

#include "store/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below `level` are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A failure nobody else will report: code, where and text. */
void log_failure(const char *doing, const struct err *err);
/* One line as it is (already JSON), for the access log. */
void log_line(const char *json);

#endif
