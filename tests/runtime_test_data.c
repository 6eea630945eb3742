/* runtime_test_data: data files that are broken, hostile or merely wrong. Each
   is refused with one line that says what and where. */
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(runtime_data, .init = enter_folder, .fini = leave_folder);

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define GOOD_X   "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 5), }"
#define GOOD_Y   "{'descr': '<i8', 'fortran_order': False, 'shape': (16,), }"

static const char zeros[4096];

typedef struct Case {
    const char *text, *words;
} Case;

/* Dictionaries of an npy header over 320 bytes of elements. */
static const Case npy[] = {
    {"", "no header"},
    {"{", "NumPy would not write"},
    {"{}", "is missing"},
    {"{'descr': '<f4', 'fortran_order': False, }", "is missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16, 5)",
     "NumPy would not write"},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (16, 5), }",
     "big-endian"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (16, 5), }",
     "pickled objects"},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (16, 5), }",
     "element type '<c8' is not known"},
    {"{'descr': '<U12', 'fortran_order': False, 'shape': (16, 5), }",
     "is not known"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (16,), }",
     "records"},
    {"{'descr': '<f4, 'fortran_order': False, 'shape': (16, 5), }", "npy"},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (16, 5), }",
     "Fortran order"},
    {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (16, 5), }",
     "neither True nor False"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
     "a single number"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-16, 5), }",
     "not a number"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16 5), }",
     "no end of the shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16, 5.5), }",
     "no end of the shape"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(99999999999999999999, 5), }",
     "too large"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(4611686018427387904, 4, 4), }",
     "no file can hold"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(1,1,1,1,1,1,1,1,1,1), }",
     "more than 8"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (17, 5), }",
     "cut short"},
    {"{'descr': '<f4', 'descr': '<f4', 'shape': (16, 5), }", "twice"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16, 5), 'x': 1}",
     "NumPy would not write"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16, 4), }",
     "array x F32[16,4] does not fit the input 'x' F32[8,5]"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (16,), }",
     "does not fit"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (15, 5), }",
     "array 'labels' has 16 rows, 'x' has 15"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }",
     "16 rows, 'x' has 0"}};

static void
write_good(void)
{
    Bytes x = npy_bytes(GOOD_X, zeros, 320), y = npy_bytes(GOOD_Y, zeros, 128);
    write_file("good_x.npy", x.at, x.count);
    write_file("y.npy", y.at, y.count);
}

Test(runtime_data, npy_headers)
{
    write_good();
    cr_assert_eq(
        run(&linear_filled, "--quiet --data x=good_x.npy,labels=y.npy"), RT_OK,
        "%s", rt_message());
    for (size_t k = 0; k < COUNT(npy); k++) {
        Bytes b = npy_bytes(npy[k].text, zeros, 320);
        write_file("x.npy", b.at, b.count);
        refused(&linear_filled, "--quiet --data x=x.npy,labels=y.npy",
                RT_ERROR_DATA, npy[k].words, npy[k].text);
    }
}

Test(runtime_data, npy_every_prefix_and_bit)
{
    write_good();
    Bytes b = npy_bytes(GOOD_X, zeros, 320);
    for (int64_t k = 0; k < b.count; k++) {
        write_file("x.npy", b.at, k);
        int status = run(&linear_filled, "--quiet --data x=x.npy,labels=y.npy");
        cr_expect(status == RT_ERROR_DATA || status == RT_ERROR_FILE, "%d",
                  (int)k);
    }
    for (int64_t bit = 0; bit < (b.count - 320) * 8; bit++) {
        b.at[bit / 8] = (char)(b.at[bit / 8] ^ 1 << bit % 8);
        write_file("x.npy", b.at, b.count);
        run(&linear_filled, "--quiet --data x=x.npy,labels=y.npy");
        b.at[bit / 8] = (char)(b.at[bit / 8] ^ 1 << bit % 8);
    }
}

Test(runtime_data, npy_lengths_and_values)
{
    Bytes b = {0};
    float x[80] = {0};
    int64_t y[16] = {0};
    write_good();
    put(&b, "\x93NUMPY\2\0\xff\xff\xff\xff", 12);
    put(&b, zeros, 400);
    write_file("x.npy", b.at, b.count);
    refused(&linear_filled, "--quiet --data x=x.npy,labels=y.npy",
            RT_ERROR_DATA, "longer than the file", "header of 4 GiB");
    x[7] = NAN;
    b = npy_bytes(GOOD_X, x, 320);
    write_file("x.npy", b.at, b.count);
    refused(&linear_filled, "--quiet --data x=x.npy,labels=y.npy",
            RT_ERROR_DATA, "array 'x', row 1, element 2 is NaN", "NaN");
    y[11] = 3;
    b = npy_bytes(GOOD_Y, y, 128);
    write_file("bad_y.npy", b.at, b.count);
    refused(&linear_filled, "--quiet --data x=good_x.npy,labels=bad_y.npy",
            RT_ERROR_DATA, "row 11: label 3 is not in 0..2", "label 3");
    y[11] = -1;
    b = npy_bytes(GOOD_Y, y, 128);
    write_file("bad_y.npy", b.at, b.count);
    refused(&linear_filled, "--quiet --data x=good_x.npy,labels=bad_y.npy",
            RT_ERROR_DATA, "row 11: label -1", "label -1");
    refused(&linear_filled, "--quiet --data good_x.npy", RT_ERROR_DATA,
            "no array for the input 'labels'", "one file");
    refused(&linear_filled, "--quiet --data z=good_x.npy,labels=y.npy",
            RT_ERROR_DATA, "no array for the input 'x'; there are: z F32[16,5]",
            "other name");
}

Test(runtime_data, files_that_are_none)
{
    write_good();
    mkdir("d.npz", 0777);
    mkfifo("f.npz", 0666);
    write_file("e.npz", "", 0);
    write_file("e.npy", "", 0);
    refused(&linear_filled, "--quiet --data absent.npz", RT_ERROR_FILE,
            "absent.npz: cannot open", "absent");
    refused(&linear_filled, "--quiet --data d.npz", RT_ERROR_FILE,
            "not a regular file", "folder");
    refused(&linear_filled, "--quiet --data f.npz", RT_ERROR_FILE,
            "not a regular file", "FIFO");
    refused(&linear_filled, "--quiet --data e.npz", RT_ERROR_DATA, "too short",
            "empty npz");
    refused(&linear_filled, "--quiet --data e.npy,y.npy", RT_ERROR_DATA,
            "too short", "empty npy");
    refused(&linear_filled, "--quiet --data x=e.npz", RT_ERROR_USAGE,
            "takes a name", "named npz");
    Bytes x = npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (7, "
                        "5), }",
                        zeros, 140);
    Bytes y = npy_bytes("{'descr': '<i8', 'fortran_order': False, 'shape': "
                        "(7,), }",
                        zeros, 56);
    write_file("x7.npy", x.at, x.count);
    write_file("y7.npy", y.at, y.count);
    refused(&linear_filled, "--quiet --data x7.npy,y7.npy", RT_ERROR_DATA,
            "7 rows are fewer than a batch of 8", "short");
}

static const Case csv[] = {
    {"", "no rows"},
    {"\n\n\n", "no rows"},
    {"a,b,c,d,e,labels\n", "no rows"},
    {"1,2,3,4,5,0\n1,2,3,4,5\n", ":2: 5 columns, the first line has 6"},
    {"1,2,3,4,5,0\n1,2,3,4,5,0,7\n", ":2: column 7 is one too many"},
    {"1,2,3,4,5,0\n1,2,x,4,5,0\n", ":2: column 3 is not a number"},
    {"1,2,x,4,5,0\n1,2,3,4,5,0\n", ":1: column 3 is not a number"},
    {"1,2,3,4,5,0\n1,2,,4,5,0\n", ":2: column 3 is empty"},
    {"1,2,3,4\n1,2,3,4\n", "4 columns, but the inputs need 6"},
    {"1,2,3,4,5,\"0\n", "quotes without an end"},
    {"1,2,3,4,5,\"0\"\"1\"\n", "quotes inside a number"},
    {"a;b;c;d;e;labels\n1;2;3;4;5;0\n", ":2: column 1 is not a number"},
    {"1,2,3,4,nan,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n"
     "1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n",
     "row 0, element 4 is NaN"},
    {"1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0.5\n1,2,3,4,5,0\n1,2,3,4,5,0\n"
     "1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n",
     "array 'labels', row 2, element 0 is not a whole number"},
    {"1,2,3,4,1e300,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n"
     "1,2,3,4,5,0\n1,2,3,4,5,0\n1,2,3,4,5,0\n",
     "does not fit the type"},
    {"labels,a,b,c,d,e\n9,2,3,4,5,0\n0,2,3,4,5,0\n0,2,3,4,5,0\n0,2,3,4,5,0\n"
     "0,2,3,4,5,0\n0,2,3,4,5,0\n0,2,3,4,5,0\n0,2,3,4,5,0\n",
     "row 0: label 9 is not in 0..2"}};

Test(runtime_data, csv_tables)
{
    Bytes b = {0};
    for (size_t k = 0; k < COUNT(csv); k++) {
        write_file("t.csv", csv[k].text, (int64_t)strlen(csv[k].text));
        refused(&linear_filled, "--quiet --batch-order sequential --data t.csv",
                RT_ERROR_DATA, csv[k].words, csv[k].text);
    }
    for (int k = 0; k < 300; k++)
        put_text(&b, "1");
    write_file("t.csv", b.at, b.count);
    refused(&linear_filled, "--quiet --data t.csv", RT_ERROR_DATA,
            "longer than 255", "long field");
}

/* A label column that a header names may stand anywhere. */
Test(runtime_data, csv_columns_by_name)
{
    write_rows(16);
    Bytes t = read_whole("table.csv"), b = {0};
    put_text(&b, "label,\"a\",b,c,d,e\r\n");
    for (int64_t k = 0, start = 0; k < t.count; k++) {
        if (t.at[k] != '\n')
            continue;
        put(&b, t.at + k - 1, 1);
        put_text(&b, ",");
        put(&b, t.at + start, k - start - 2);
        put_text(&b, "\r\n");
        start = k + 1;
    }
    write_file("named.csv", b.at, b.count);
    cr_assert_eq(run(&linear_filled, "--quiet --data table.csv --save a"),
                 RT_OK);
    cr_assert_eq(run(&linear_filled, "--quiet --data named.csv --save b"),
                 RT_OK, "%s", rt_message());
    cr_expect(same_files("a", "b"));
}

#define LABELS \
    "\"labels\":{\"dtype\":\"I64\",\"shape\":[16],\"data_offsets\":[320,448]}"
#define GOOD_TENSORS                                                       \
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[0,320]}" \
    "," LABELS "}"

static const Case tensors[] = {
    {"", "'{' was expected"},
    {"[]", "'{' was expected"},
    {"{", "a string was expected"},
    {"{\"x\"}", "':' was expected"},
    {"{\"x\":{}}", "a string was expected"},
    {"{\"x\":{\"dtype\":\"F32\"}}", "lacks"},
    {"{\"x\":{\"dtype\":\"F31\",\"shape\":[16,5],\"data_offsets\":[0,320]}"
     "," LABELS "}",
     "'F31' is not known"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,-5],\"data_offsets\":[0,320]}"
     "," LABELS "}",
     "whole number"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[0]}," LABELS
     "}",
     "two numbers"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[0,321]}"
     "," LABELS "}",
     "its shape needs 320"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[320,0]}"
     "," LABELS "}",
     "not in the file"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[128,448]}"
     "," LABELS "}",
     "overlaps another"},
    {"{" LABELS "}", "a hole"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[0,320]}}",
     "128 bytes too many"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,16],"
     "\"data_offsets\":[0,320]}}",
     "too large"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":"
     "[0,99999999999999999999]}}",
     "too large"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[16,5],\"data_offsets\":[0,320]},"
     "\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[320,320]}"
     "," LABELS "}",
     "stands twice"},
    {"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[16,5],"
     "\"data_offsets\":[0,320]}," LABELS "}",
     "a field stands twice"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,16,5],"
     "\"data_offsets\":[0,320]}," LABELS "}",
     "rank at most 8"},
    {"{\"__metadata__\":{\"a\":1}," LABELS "}", "a string was expected"},
    {"{\"__metadata__\":{},\"__metadata__\":{}," LABELS "}", "twice"},
    {"{\"a\\u00zz\":{}}", "bad \\u"},
    {"{\"a\\q\":{}}", "bad escape"},
    {"{\"a\\u0000\":{}}", "a NUL"},
    {"{\"a\\ud800\":{}}", "surrogate"},
    {"{\"a", "without an end"},
    {GOOD_TENSORS "x", "behind the header's end"}};

Test(runtime_data, safetensors_headers)
{
    Bytes b = safetensors_bytes(GOOD_TENSORS, 448);
    write_file("t.safetensors", b.at, b.count);
    cr_assert_eq(run(&linear_filled, "--quiet --data t.safetensors"), RT_OK,
                 "%s", rt_message());
    for (size_t k = 0; k < COUNT(tensors); k++) {
        b = safetensors_bytes(tensors[k].text, 448);
        write_file("t.safetensors", b.at, b.count);
        refused(&linear_filled, "--quiet --data t.safetensors", RT_ERROR_FILE,
                tensors[k].words, tensors[k].text);
    }
}

Test(runtime_data, safetensors_lengths)
{
    static const uint64_t length[] = {0x8000000000000000u, ~(uint64_t)0,
                                      (uint64_t)1 << 40, 449, 100000000};
    for (size_t k = 0; k < COUNT(length); k++) {
        Bytes b = {0};
        put_number(&b, length[k], 8);
        put(&b, zeros, 448);
        write_file("t.safetensors", b.at, b.count);
        refused(&linear_filled, "--quiet --data t.safetensors", RT_ERROR_FILE,
                "a header of", "length");
    }
    Bytes b = safetensors_bytes(GOOD_TENSORS, 448);
    for (int64_t k = 0; k < b.count; k++) {
        write_file("t.safetensors", b.at, k);
        cr_expect_eq(run(&linear_filled, "--quiet --data t.safetensors"),
                     RT_ERROR_FILE, "%d", (int)k);
    }
}

/* One changed byte of a good archive each: where from its end, and what to. */
static const struct {
    int64_t back;
    char value;
    const char *words;
} zip[] = {
    {22, 0, "no zip directory"},              /* the mark of the end */
    {12, 9, "its directory is damaged"},      /* members: more than there are */
    {7, 0x7f, "outside of the file"},         /* length of the directory */
    {3, 0x7f, "outside of the file"},         /* its place */
    {6, 7, "its directory is damaged"},       /* a place that is off */
    {22 + 56, 0, "its directory is damaged"}, /* the mark of the last entry */
    {22 + 56 - 8, 1, "encrypted"},
    {22 + 56 - 10, 99, "neither stored nor deflated"},
    {22 + 56 - 10, 8, "member 'labels.npy'"},    /* stored bytes as deflated */
    {22 + 56 - 23, 0x7f, "outside of the file"}, /* packed size */
    {22 + 56 - 27, 0x7f, "neither stored"}, /* size, unlike the packed one */
    {22 + 56 - 45, 0x7f, "outside of the file"},
    {22 + 56 - 42, 1, "no header where"},
    {22 + 56 - 29, 0x7f, "directory is damaged"}};

Test(runtime_data, npz_archives)
{
    write_good();
    Bytes x = read_whole("good_x.npy"), y = read_whole("y.npy");
    Bytes z = zip_bytes("x.npy", x, "labels.npy", y);
    write_file("z.npz", z.at, z.count);
    cr_assert_eq(run(&linear_filled, "--quiet --data z.npz"), RT_OK, "%s",
                 rt_message());
    for (size_t k = 0; k < COUNT(zip); k++) {
        char *at = z.at + z.count - zip[k].back, kept = *at;
        *at = zip[k].value;
        write_file("z.npz", z.at, z.count);
        char name[40];
        snprintf(name, sizeof name, "npz case %d", (int)k);
        refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
                zip[k].words, name);
        *at = kept;
    }
    z = zip_bytes("x.npy", x, "x.npy", y);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "member 'x.npy': stands twice", "double");
    z = zip_bytes("x.npy", x, "labels.txt", y);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "no array for the input 'labels'", "not npy");
    z = zip_bytes("x.npy", x, "\033[31m.npy", y);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "?[31m I64[16]", "escape");
}

Test(runtime_data, npz_every_prefix_and_bit)
{
    write_good();
    Bytes z = zip_bytes("x.npy", read_whole("good_x.npy"), "labels.npy",
                        read_whole("y.npy"));
    for (int64_t k = 0; k < z.count; k++) {
        write_file("z.npz", z.at, k);
        cr_expect_eq(run(&linear_filled, "--quiet --data z.npz"), RT_ERROR_DATA,
                     "%d", (int)k);
    }
    for (int64_t bit = 0; bit < z.count * 8; bit++) {
        z.at[bit / 8] = (char)(z.at[bit / 8] ^ 1 << bit % 8);
        write_file("z.npz", z.at, z.count);
        run(&linear_filled, "--quiet --data z.npz");
        z.at[bit / 8] = (char)(z.at[bit / 8] ^ 1 << bit % 8);
    }
}

/* A few hundred bytes of deflate that claim to be 2^31 of zeros. */
Test(runtime_data, npz_bomb)
{
    write_good();
    Bytes z = zip_bytes("x.npy", read_whole("good_x.npy"), "labels.npy",
                        read_whole("y.npy"));
    char *entry = z.at + z.count - 22 - 56;
    entry[10] = 8;
    entry[27] = 0x7f;
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "cannot unpack to", "bomb");
}

static uint32_t
checksum(const char *at, int64_t count)
{
    uint32_t sum = 0xffffffff;
    for (int64_t k = 0; k < count; k++) {
        sum ^= (unsigned char)at[k];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return ~sum;
}

/* The second member of a stored archive as one block of deflate that is stored
   itself; `size` is what the directory says that it unpacks to. */
static Bytes
deflated(int64_t size, uint32_t check)
{
    Bytes y = read_whole("y.npy"), packed = {0};
    put(&packed, "\1", 1);
    put_number(&packed, (uint64_t)y.count, 2);
    put_number(&packed, ~(uint64_t)y.count, 2);
    put(&packed, y.at, y.count);
    Bytes z =
        zip_bytes("x.npy", read_whole("good_x.npy"), "labels.npy", packed);
    char *entry = z.at + z.count - 22 - 56;
    entry[10] = 8;
    memcpy(entry + 16, &check, 4);
    uint32_t little = (uint32_t)size;
    memcpy(entry + 24, &little, 4);
    return z;
}

Test(runtime_data, npz_deflated)
{
    write_good();
    Bytes y = read_whole("y.npy");
    uint32_t check = checksum(y.at, y.count);
    Bytes z = deflated(y.count, check);
    write_file("z.npz", z.at, z.count);
    cr_assert_eq(run(&linear_filled, "--quiet --data z.npz"), RT_OK, "%s",
                 rt_message());
    z = deflated(y.count, check + 1);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "its checksum or its size is wrong", "checksum");
    z = deflated(y.count - 1, check);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "unpacks to more", "too much");
    z = deflated(y.count + 1, check);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_DATA,
            "its checksum or its size is wrong", "too little");
    z = deflated(y.count, check);
    for (int64_t k = 0; k < z.count - 100; k += 3) {
        char kept = z.at[k];
        z.at[k] = (char)(kept ^ 0x55);
        write_file("z.npz", z.at, z.count);
        run(&linear_filled, "--quiet --data z.npz");
        z.at[k] = kept;
    }
    setenv("TMPDIR", "/no/such/folder", 1);
    z = deflated(y.count, check);
    write_file("z.npz", z.at, z.count);
    refused(&linear_filled, "--quiet --data z.npz", RT_ERROR_FILE,
            "/no/such/folder", "no TMPDIR");
}
