#include "bfs/probe.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "tests/support/temp_dir.h"

namespace bankai::bfs {
namespace {

// Reads `content` as the file NAME of a folder of its own.
Result<DataSet> read_as(const std::string& name, const std::string& content) {
  const testing::TempDir folder;
  EXPECT_TRUE(write_file(folder.path(name), content, Overwrite::kRefuse).ok());
  return read_data_set(folder.path(name));
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

void expect_refused(const std::string& name, const std::string& content,
                    const std::string& mentions) {
  const Result<DataSet> data = read_as(name, content);
  ASSERT_FALSE(data.ok()) << content.substr(0, 80);
  EXPECT_EQ(data.error().code, ErrorCode::kBadInput) << content.substr(0, 80);
  EXPECT_NE(data.error().message.find(name), std::string::npos) << data.error().message;
  EXPECT_NE(data.error().message.find(mentions), std::string::npos) << data.error().message;
  EXPECT_EQ(data.error().message.find('\n'), std::string::npos) << data.error().message;
  EXPECT_LT(data.error().message.size(), 400U);
}

TEST(ReadDataSet, reads_probes_with_all_their_fields) {
  const auto data = read_as("p.json",
                            R"([{"prompt": "2+2 =", "correct": " 4", "wrong": " 5", "name": "n",
       "category": "c", "alternates": [" four", " IV"], "comment": {"ignored": [1, 2]}},
      {"prompt": "é\n", "correct": "x"}])");
  ASSERT_TRUE(data.ok()) << data.error().message;
  ASSERT_EQ(data->probes.size(), 2U);
  EXPECT_TRUE(data->texts.empty());
  const Probe& first = data->probes[0];
  EXPECT_EQ(first.prompt, "2+2 =");
  EXPECT_EQ(first.correct, " 4");
  EXPECT_EQ(first.wrong, " 5");
  EXPECT_EQ(first.name, "n");
  EXPECT_EQ(first.category, "c");
  EXPECT_EQ(first.alternates, (std::vector<std::string>{" four", " IV"}));
  const Probe& second = data->probes[1];
  EXPECT_EQ(second.prompt, "é\n");
  EXPECT_EQ(second.wrong, "");
  EXPECT_EQ(second.name, "probe_1");
  EXPECT_EQ(second.category, "custom");
  EXPECT_TRUE(second.alternates.empty());
}

TEST(ReadDataSet, reads_json_lines_of_texts_and_probes) {
  const auto data = read_as("d.jsonl",
                            "{\"text\": \"one\\nline\"}\n\n  \t\r\n\"two\"\r\n"
                            "{\"prompt\": \"a\", \"correct\": \" b\"}\n{\"text\": \"three\"}");
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_EQ(data->texts, (std::vector<std::string>{"one\nline", "two", "three"}));
  ASSERT_EQ(data->probes.size(), 1U);
  EXPECT_EQ(data->probes[0].prompt, "a");
}

TEST(ReadDataSet, takes_any_other_file_as_one_text) {
  for (const std::string content : {"one line", "[1, 2]", "a\n\nb\n", "\xff\xfe binary"}) {
    const auto data = read_as("text.txt", content);
    ASSERT_TRUE(data.ok()) << data.error().message;
    EXPECT_EQ(data->texts, std::vector<std::string>{content});
    EXPECT_TRUE(data->probes.empty());
  }
}

TEST(ReadDataSet, reads_every_demo_file) {
  for (const char* name : {"demo/probes/sums.search.json", "demo/text/sums.search.txt"}) {
    const auto data = read_data_set(testing::data_path(name));
    ASSERT_TRUE(data.ok()) << data.error().message;
    EXPECT_FALSE(data->probes.empty() && data->texts.empty());
  }
}

TEST(ReadDataSet, refuses_what_is_empty) {
  expect_refused("p.json", "[]", "no probes");
  expect_refused("t.txt", "", "no probes");
  expect_refused("l.jsonl", "\n \n", "no probes");
  expect_refused("p.json", "", "JSON");
}

TEST(ReadDataSet, refuses_what_is_no_json) {
  for (const std::string content :
       {"{", "[", "nonsense", "[{\"prompt\": \"a\", \"correct\": \"b\"}", "[1e999]", "[\"\xff\"]",
        "[\"\\ud800\"]", "[{}] []", "[1,]", "\x00[]"})
    expect_refused("p.json", content, "JSON");
  expect_refused("l.jsonl", "\"fine\"\n{\"text\"", "line 2");
}

TEST(ReadDataSet, refuses_other_types_and_missing_keys) {
  expect_refused("p.json", "{\"prompt\": \"a\"}", "expected a list");
  expect_refused("p.json", "\"text\"", "expected a list");
  expect_refused("p.json", "null", "expected a list");
  expect_refused("p.json", "[1]", "probe 0");
  expect_refused("p.json", "[[]]", "expected an object");
  expect_refused("p.json", "[{}]", "\"prompt\" is missing");
  expect_refused("p.json", R"([{"prompt": "a"}])", "\"correct\" is missing");
  expect_refused("p.json", R"([{"prompt": 1, "correct": "b"}])", "\"prompt\" is a number");
  expect_refused("p.json", R"([{"prompt": "a", "correct": null}])", "\"correct\" is a null");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b", "wrong": ["c"]}])", "\"wrong\"");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b", "name": {}}])", "\"name\"");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b", "category": true}])",
                 "\"category\"");
  expect_refused("p.json", R"([{"prompt": "", "correct": "b"}])", "empty");
  expect_refused("p.json", R"([{"prompt": "a", "correct": ""}])", "empty");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b", "alternates": "c"}])", "alternates");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b", "alternates": [2]}])", "alternate");
  expect_refused("p.json", R"([{"prompt": "a", "prompt": "b", "correct": "c"}])", "twice");
  expect_refused("p.json", R"([{"prompt": "a", "correct": "b"}, {"prompt": "a"}])", "probe 1");
  expect_refused("l.jsonl", "3", "line 1");
  expect_refused("l.jsonl", "\"ok\"\n{\"text\": 5}", "line 2");
}

TEST(ReadDataSet, refuses_deep_nesting_at_once) {
  expect_refused("p.json", repeated("[", 40) + repeated("]", 40), "deep");
  expect_refused("p.json", repeated("[", 2000000), "deep");
  expect_refused("p.json", repeated("{\"a\":", 2000000), "deep");
  expect_refused("l.jsonl", repeated("[", 2000000), "deep");
}

TEST(ReadDataSet, reads_large_files) {
  const std::string probe = R"({"prompt": "a", "correct": "b"})";
  const auto many = read_as("p.json", "[" + repeated(probe + ",", 20000) + probe + "]");
  ASSERT_TRUE(many.ok()) << many.error().message;
  EXPECT_EQ(many->probes.size(), 20001U);
  const std::string word(1 << 20, 'x');
  const auto wide = read_as("p.json", R"([{"prompt": ")" + word + R"(", "correct": "b"}])");
  ASSERT_TRUE(wide.ok()) << wide.error().message;
  EXPECT_EQ(wide->probes[0].prompt, word);
}

TEST(ReadDataSet, every_prefix_of_a_file_is_refused_or_whole) {
  const std::string content = R"([{"prompt": "2+2 =", "correct": " 4", "alternates": [" four"]}])";
  for (std::size_t size = 0; size < content.size(); ++size)
    EXPECT_FALSE(read_as("p.json", content.substr(0, size)).ok()) << size;
  EXPECT_TRUE(read_as("p.json", content).ok());
}

TEST(ReadDataSet, names_a_file_that_cannot_be_read) {
  const testing::TempDir folder;
  const auto missing = read_data_set(folder.path("none.json"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
  EXPECT_NE(missing.error().message.find("none.json"), std::string::npos);
}

}  // namespace
}  // namespace bankai::bfs
