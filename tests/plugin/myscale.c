/* A library of one custom operator for onnxruntime: com.example::MyScale, y = factor * x in float32.

   onnxruntime's package has no headers. What stands here is its C interface of version 1, which it
   promises never to change: the places of a few functions in its table, and the head of the table
   that describes an operator. */

#include <stddef.h>
#include <stdint.h>

typedef void *(*Function)();
typedef const Function *Table;
typedef struct {
    Table (*get_table)(uint32_t version);
} Base;

enum {
    CREATE_DOMAIN = 26,
    ADD_TO_DOMAIN = 27,
    ADD_DOMAIN = 28,
    TENSOR_DATA = 51,
    COUNT_DIMENSIONS = 61,
    GET_DIMENSIONS = 62,
    COUNT_ELEMENTS = 64,
    TENSOR_SHAPE = 65,
    FLOAT_ATTRIBUTE = 85,
    INPUT = 90,
    OUTPUT = 91,
    RELEASE_SHAPE = 99
};

enum { FLOAT = 1, MOST_DIMENSIONS = 16 };

typedef struct Operator {
    uint32_t version;
    void *(*create)(const struct Operator *, Table, const void *info);
    const char *(*name)(const struct Operator *);
    const char *(*provider)(const struct Operator *);
    int (*input_type)(const struct Operator *, size_t);
    size_t (*input_count)(const struct Operator *);
    int (*output_type)(const struct Operator *, size_t);
    size_t (*output_count)(const struct Operator *);
    void (*compute)(void *kernel, void *context);
    void (*destroy)(void *kernel);
    int (*input_is_optional)(const struct Operator *, size_t);
    int (*output_is_optional)(const struct Operator *, size_t);
    void *later[32]; /* what newer versions have; none of it is given */
} Operator;

/* One kernel for each node. */
enum { MOST_KERNELS = 256 };
static float factors[MOST_KERNELS];
static size_t kernels = 0;
static Table table;

static void *create(const Operator *self, Table given, const void *info) {
    float *factor = &factors[kernels++ % MOST_KERNELS];
    (void)self, (void)given;
    *factor = 1;
    table[FLOAT_ATTRIBUTE](info, "factor", factor);
    return factor;
}

static void compute(void *kernel, void *context) {
    void *x = NULL, *y = NULL, *shape = NULL;
    float *from = NULL, *to = NULL;
    size_t rank = 0, count = 0, at;
    int64_t sizes[MOST_DIMENSIONS];
    table[INPUT](context, (size_t)0, &x);
    table[TENSOR_SHAPE](x, &shape);
    table[COUNT_DIMENSIONS](shape, &rank);
    table[GET_DIMENSIONS](shape, sizes, rank);
    table[COUNT_ELEMENTS](shape, &count);
    table[RELEASE_SHAPE](shape);
    table[OUTPUT](context, (size_t)0, sizes, rank, &y);
    table[TENSOR_DATA](x, &from);
    table[TENSOR_DATA](y, &to);
    for (at = 0; at < count; at++) to[at] = *(float *)kernel * from[at];
}

static const char *name(const Operator *self) { return (void)self, "MyScale"; }
static const char *provider(const Operator *self) { return (void)self, (const char *)NULL; }
static int is_float(const Operator *self, size_t index) { return (void)self, (void)index, FLOAT; }
static size_t one(const Operator *self) { return (void)self, (size_t)1; }
static int required(const Operator *self, size_t index) { return (void)self, (void)index, 0; }
static void destroy(void *kernel) { (void)kernel; }

static const Operator scale = {8,   create,   name,    provider, is_float, one,  is_float,
                               one, compute, destroy, required, required, {NULL}};

#ifdef _WIN32
__declspec(dllexport)
#endif
void *RegisterCustomOps(void *options, const Base *base) {
    void *domain = NULL, *failed;
    table = base->get_table(1);
    failed = table[CREATE_DOMAIN]("com.example", &domain);
    if (!failed) failed = table[ADD_TO_DOMAIN](domain, &scale);
    if (!failed) failed = table[ADD_DOMAIN](options, domain);
    return failed;
}
