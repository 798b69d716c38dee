/* test_answer.c: whatever a library hands over, a line of the answer is one line of valid ASCII JSON. */
#include "host/answer.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static int ends[2];
static dmx_answer answer;

/* Ends the event and reads it back. */
static const char *sent(void) {
    static char text[65536];
    dmx_answer_end(&answer);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static const char *sent_text(const char *bytes) {
    dmx_answer_begin(&answer, "e");
    dmx_answer_key(&answer, "t");
    dmx_answer_text(&answer, bytes);
    return sent();
}

static void test_strings(void) {
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"a\"b\\c/d", "a\\\"b\\\\c/d"},
        {"\n\r\t\b\x01\x1f\x7f", "\\u000a\\u000d\\u0009\\u0008\\u0001\\u001f\\u007f"},
        {"\xc3\xa4", "\\u00e4"},                              /* 2 bytes */
        {"\xe2\x80\xa8", "\\u2028"},                          /* 3 bytes; a line break to some readers */
        {"\xf0\x9f\x98\x80", "\\ud83d\\ude00"},               /* 4 bytes: a surrogate pair */
        {"\xf4\x8f\xbf\xbf", "\\udbff\\udfff"},               /* the last code point */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* one beyond */
        {"\xff|\x80|\xc3", "\\ufffd|\\ufffd|\\ufffd"},        /* never, continuation alone, cut off */
        {"\xe2\x80", "\\ufffd\\ufffd"},                       /* cut off after two of three */
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* overlong '/' */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},            /* overlong in three */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate as UTF-8 */
        {"\xc3\"", "\\ufffd\\\""},                            /* the quote is not swallowed */
        {NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256] = "{\"event\":\"e\",\"t\":\"";
        strcat(strcat(expected, cases[i].expected), "\"}\n");
        const char *text = sent_text(cases[i].bytes);
        if (!CHECK(strcmp(text, expected) == 0)) {
            (void)write(STDERR_FILENO, text, strlen(text));
        }
    }
}

/* Random bytes: the line stays printable ASCII, with one line break at its end and its quotes in balance. */
static void test_random_bytes(void) {
    test_random random = {.state = 3};
    for (int i = 0; i < 3000; i++) {
        char bytes[64];
        size_t length = test_random_below(&random, sizeof bytes);
        for (size_t j = 0; j < length; j++) {
            bytes[j] = (char)(1 + test_random_below(&random, 255));
        }
        bytes[length] = '\0';
        const char *text = sent_text(bytes);
        size_t quotes = 0, size = strlen(text);
        for (size_t j = 0; j + 1 < size; j++) {
            CHECK(text[j] >= 0x20 && text[j] < 0x7f);
            if (text[j] == '\\') {
                j++;
            } else {
                quotes += text[j] == '"';
            }
        }
        CHECK_EQUAL(quotes, 8);
        CHECK(text[size - 1] == '\n');
    }
}

static void test_long_text(void) {
    static char bytes[10000];
    memset(bytes, 'x', sizeof bytes - 1);
    const char *text = sent_text(bytes);
    CHECK_EQUAL(strlen(text), strlen("{\"event\":\"e\",\"t\":\"\"}\n") + 4096); /* cut, not refused */
}

static void test_values(void) {
    dmx_answer_begin(&answer, "e");
    dmx_answer_key(&answer, "a");
    dmx_answer_open(&answer, '[');
    dmx_answer_whole(&answer, UINT64_MAX);
    dmx_answer_signed(&answer, INT64_MIN);
    dmx_answer_real(&answer, 0.1);
    dmx_answer_real(&answer, (double)NAN);
    dmx_answer_real(&answer, (double)-INFINITY);
    dmx_answer_real(&answer, 1e300);
    dmx_answer_hex(&answer, 0xabc);
    dmx_answer_truth(&answer, true);
    dmx_answer_truth(&answer, false);
    dmx_answer_null(&answer);
    dmx_answer_open(&answer, '[');
    dmx_answer_close(&answer, ']');
    dmx_answer_open(&answer, '{');
    dmx_answer_key(&answer, "b");
    dmx_answer_whole(&answer, 1);
    dmx_answer_key(&answer, "c");
    dmx_answer_text(&answer, "[");
    dmx_answer_key(&answer, "d");
    dmx_answer_whole(&answer, 2);
    dmx_answer_close(&answer, '}');
    dmx_answer_close(&answer, ']');
    static const char expected[] =
        "{\"event\":\"e\",\"a\":[18446744073709551615,-9223372036854775808,0.10000000000000001,null,null,"
        "1.0000000000000001e+300,\"0000000000000abc\",true,false,null,[],{\"b\":1,\"c\":\"[\",\"d\":2}]}\n";
    const char *text = sent();
    if (!CHECK(strcmp(text, expected) == 0)) {
        (void)write(STDERR_FILENO, text, strlen(text));
    }
}

/* Nobody listens any more: noticed, not fatal. */
static void test_closed(void) {
    dmx_answer lost = {.descriptor = -1};
    dmx_answer_begin(&lost, "e");
    dmx_answer_end(&lost);
    CHECK(lost.failed);
    dmx_answer_begin(&lost, "e");
    dmx_answer_end(&lost);
    CHECK(lost.failed);
    dmx_answer_free(&lost);
}

int main(void) {
    REQUIRE(pipe(ends) == 0);
    answer.descriptor = ends[1];
    test_strings();
    test_random_bytes();
    test_long_text();
    test_values();
    test_closed();
    dmx_answer_free(&answer);
    return test_report();
}
