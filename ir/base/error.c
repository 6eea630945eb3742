/* error: the table of error.def, by code and by the file that raises. */
#include "ir/base/error.h"

#include <string.h>
#include <strings.h>

typedef struct Raised {
    const char *file;
    ErrorCode code;
} Raised;

const Error errors[ERROR_COUNT] = {
#define ERROR(code, title, cause, example, remedy) \
    {#code, title, cause, example, remedy},
#define RAISED(file, code)
#include "ir/base/error.def"
#undef ERROR
#undef RAISED
};

static const Raised raised[] = {
#define ERROR(code, title, cause, example, remedy)
#define RAISED(file, code) {file, ERROR_##code},
#include "ir/base/error.def"
#undef ERROR
#undef RAISED
};

const Error *
error_named(const char *code)
{
    for (int i = 0; i < ERROR_COUNT; i++)
        if (strcasecmp(errors[i].code, code) == 0)
            return &errors[i];
    return NULL;
}

ErrorCode
error_of_file(const char *file)
{
    ErrorCode best = ERROR_E0900;
    size_t most = 0;

    while (strncmp(file, "../", 3) == 0) /* as seen from the build's folder */
        file += 3;
    for (size_t i = 0; i < sizeof raised / sizeof *raised; i++) {
        size_t n = strlen(raised[i].file);

        if (n >= most && strncmp(file, raised[i].file, n) == 0) {
            most = n;
            best = raised[i].code;
        }
    }
    return best;
}

ErrorCode
error_take_mark(char *message, ErrorCode otherwise)
{
    for (char *p = message; (p = strchr(p, '\1')); p++)
        for (int i = 0; i < ERROR_COUNT; i++) {
            size_t n = strlen(errors[i].code);

            if (strncmp(p + 1, errors[i].code, n) != 0 || p[n + 1] != '\1')
                continue;
            memmove(p, p + n + 2, strlen(p + n + 2) + 1);
            return (ErrorCode)i;
        }
    return otherwise;
}
