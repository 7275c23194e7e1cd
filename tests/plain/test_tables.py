"""Tables for terminals and for notebooks."""

from explainer.plain.tables import html_table, text_table


def test_columns_are_aligned():
    assert (
        text_table(("name", "n"), [("a", 1), ("longer", 22)])
        == "name    n\n------  --\na       1\nlonger  22"
    )


def test_a_table_without_rows_is_its_header():
    assert text_table(("a", "b"), []) == "a  b\n-  -"


def test_names_of_a_file_are_no_markup():
    bad = "<script>alert('1')</script>"
    table = html_table((bad, "b"), [(bad, bad)], bad)
    assert "<script" not in table
    assert table.count("&lt;script&gt;") == 4
    assert html_table((), [("a", 1)]) == "<table><tbody><tr><td>a</td><td>1</td></tr></tbody></table>"
