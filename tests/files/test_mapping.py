"""Foreign tables are mapped: guessed, looked at by a person, kept as TOML, applied."""

import doctest
import io
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.map import date_texts, inference, mapping, number_texts, synonyms
from customer_segmentation.files.map.inference import (
    Confidence,
    Guess,
    doubts_about,
    infer,
    mapping_of,
)
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.mapping_file import (
    format_guesses,
    format_mapping,
    parse_mapping,
    read_mapping,
)
from customer_segmentation.files.map.number_texts import UNSURE, NumberStyle
from customer_segmentation.files.read.tables import open_table
from tests.support.shipped import COLUMNS, FEATURE_BY_NAME, FEATURE_NAMES, SHIPPED

DATA = Path(__file__).parents[1] / "data"
BY_REQUEST_NAMES = format_mapping(SHIPPED, ColumnMapping.by_request_names(SHIPPED))


def guess_file(path: Path) -> dict[str, Guess]:
    with open_table(path) as source:
        return infer(SHIPPED, source.columns, source.sample())


def guess(**columns: list[object]) -> dict[str, Guess]:
    table = pa.table({name.replace("__", " "): values for name, values in columns.items()})
    return infer(SHIPPED, table.column_names, table)


def load(path: Path, mapping: ColumnMapping) -> Checked:
    with open_table(path) as source:
        checker = Checker(SHIPPED, source, mapping)
        (checked,) = map(checker.check, source.blocks(checker.wanted))
    return checked


def customer(checked: Checked, row: int) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, checked.values[row].tolist(), strict=True))


def test_a_card_issuers_table_is_loaded_once_what_it_lacks_is_filled_in(tmp_path: Path) -> None:
    path = DATA / "card_customers.csv"
    guesses = guess_file(path)
    missing = [name for name, found in guesses.items() if found.confidence is Confidence.MISSING]
    text = format_guesses(SHIPPED, guesses, path.name)

    # What a person does: a default for each attribute that the table lacks, one more code.
    text = text.replace("# default = …", "default = 0")
    text = text.replace("uneducated = 0", "uneducated = 0, Unknown = 1")
    (tmp_path / "mapping.toml").write_text(text)
    checked = load(path, read_mapping(SHIPPED, tmp_path / "mapping.toml"))

    assert missing == [
        "loyalty_score",
        "facebook_interaction",
        "twitter_interaction",
        "email_interaction",
        "instagram_interaction",
        "total_deposit_amount",
        "has_loan",
    ]
    assert customer(checked, 0) == dict.fromkeys(FEATURE_NAMES, 0) | {
        "age": 68,
        "gender": 1,
        "monthly_income": 16900,
        "account_balance": 16727.14,
        "education_level": 1,
        "total_withdrawal_amount": 8660,
        "transaction_count": 23,
    }
    assert checked.ids[0] == 708082083
    (reject,) = checked.rejects
    assert (reject.line, reject.column) == (22, "Income_Annual")


def test_a_table_in_another_encoding_and_number_style_is_loaded_as_guessed() -> None:
    path = DATA / "marketing_customers.csv"

    checked = load(path, mapping_of(guess_file(path)))

    assert not checked.rejects
    assert len(checked.ids) == 60
    assert customer(checked, 0) == {
        "age": 45,
        "gender": 1,
        "monthly_income": 2045.39,
        "account_balance": 6182.81,
        "loyalty_score": 208,
        "education_level": 1,
        "facebook_interaction": 1,
        "twitter_interaction": 1,
        "email_interaction": 0,
        "instagram_interaction": 0,
        "total_withdrawal_amount": 5951.23,
        "total_deposit_amount": 3136.66,
        "transaction_count": 27,
        "has_loan": 1,
    }


@pytest.mark.parametrize("names", ["record_name", "name"])
def test_the_projects_own_names_are_certain(names: str) -> None:
    examples = {getattr(feature, names): [feature.example] for feature in COLUMNS}

    guesses = infer(SHIPPED, list(examples), pa.table(examples))

    assert {found.confidence for found in guesses.values()} == {Confidence.CERTAIN}
    assert mapping_of(guesses).entries == {
        feature.name: Entry(getattr(feature, names)) for feature in COLUMNS
    }


@pytest.mark.parametrize(
    ("column", "attribute", "factor"),
    [
        ("estimatedSalary", "monthly_income", Fraction(1, 12)),
        ("Salary per month", "monthly_income", Fraction(1)),
        ("Annual Income", "monthly_income", Fraction(1, 12)),
        ("INCOME_CENTS", "monthly_income", Fraction(1, 100)),
        ("Balance", "account_balance", Fraction(1)),
        ("balance (thousands)", "account_balance", Fraction(1000)),
        ("CUST_ID", "customer_id", Fraction(1)),
    ],
)
def test_names_say_the_attribute_and_its_unit(
    column: str, attribute: str, factor: Fraction
) -> None:
    found = infer(SHIPPED, [column], pa.table({column: [12]}))[attribute]

    assert (found.confidence, found.entry) == (Confidence.GUESSED, Entry(column, factor))


@pytest.mark.parametrize(
    ("column", "values", "codes"),
    [
        ("gender", ["M", "F"], {"f": 1, "m": 0}),
        ("gender", [1, 2], {"1": 0, "2": 1}),
        ("gender", [0, 1], {}),
        (
            "education",
            ["Post Graduate", "PhD", "basic"],
            {"basic": 0, "phd": 3, "post graduate": 3},
        ),
        ("loan", ["YES", "no"], {"no": 0, "yes": 1}),
        ("loan", [True, False], {}),
        ("loan", ["True", "False"], {}),
        ("loan", ["True", "no"], {"no": 0, "true": 1}),
    ],
)
def test_values_say_the_codes(column: str, values: list[object], codes: dict[str, int]) -> None:
    guesses = infer(SHIPPED, [column], pa.table({column: values}))

    (found,) = mapping_of(guesses).entries.values()
    assert found.codes == codes


def test_numbers_that_can_be_read_in_two_ways_are_asked_about() -> None:
    found = guess(Balance=["8,283", "12,500", "101,250"])["account_balance"]

    assert found.entry is not None
    assert found.entry.style == UNSURE
    assert not found.is_complete
    written = format_mapping(SHIPPED, ColumnMapping({"account_balance": found.entry}))
    text = BY_REQUEST_NAMES.replace('[account_balance]\ncolumn = "account_balance"\n', written)
    with pytest.raises(MappingError, match="account_balance: say how numbers are written: is 1,23"):
        parse_mapping(SHIPPED, text, "x")


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (["8,283", "12,500.5"], NumberStyle(".", ",")),
        (["8,283", "12,5"], NumberStyle(",", ".")),
        (["8,283", "0,125"], NumberStyle(",", ".")),
        (["8.283", "0.125"], NumberStyle()),
        (["8.283", "12.5"], NumberStyle()),
        (["8283", "12"], NumberStyle()),
        (["8.283", "12.500"], UNSURE),
    ],
)
def test_one_number_can_tell_how_all_are_written(texts: list[object], style: NumberStyle) -> None:
    found = guess(Balance=texts)["account_balance"].entry

    assert found is not None
    assert found.style.decimal == style.decimal


def test_a_column_with_repeats_is_not_taken_for_the_id_unless_it_is_called_so() -> None:
    assert guess(client=[1, 1, 2])["customer_id"].confidence is Confidence.MISSING
    remarks = guess(customer__id=[1, 1, 2])["customer_id"].remarks
    assert "some ids come again; only the first row of each is taken" in remarks


def test_numbers_of_a_degree_are_named_as_a_guess() -> None:
    assert any("may not be" in r for r in guess(degree=[0, 3])["education_level"].remarks)


def test_what_is_no_table_with_one_header_is_doubted() -> None:
    twice = pa.table({"a": ["x", "1", "2", "3"], "b": ["y", "1", "2", "3"]})

    assert doubts_about(["a b c"], pa.table({"a b c": ["1 2 3"]})) == [
        "There is one column only: what stands between fields may be another sign"
    ]
    (doubt,) = doubts_about(["a", "b"], twice)
    assert "second header" in doubt
    assert doubt in format_guesses(
        SHIPPED, infer(SHIPPED, ["a", "b"], twice), "x", ["a", "b"], [doubt]
    )
    assert not doubts_about(["a", "b"], twice.slice(1))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!DOCTYPE html>\n<html><body>1,2</body></html>", "a web page"),
        ("<<<<<<< HEAD\na,b\n1,2\n", "in conflict between two versions"),
    ],
)
def test_what_is_no_table_is_refused(text: str, what: str) -> None:
    with (
        pytest.raises(DataFileError, match=f"the input is {what}, not a table"),
        open_table(io.BytesIO(text.encode())),
    ):
        pass


def test_an_encoding_that_is_a_guess_is_known_for_one() -> None:
    text = "id;name\n" + "1;Иванов Пётр Сергеевич\n" * 50
    for encoding, guessed in (("cp1251", "cp1251"), ("utf-8", None), ("utf-16", None)):
        with open_table(io.BytesIO(text.encode(encoding))) as source:
            assert source.guessed_encoding == guessed


def test_columns_that_no_entry_takes_are_told() -> None:
    table = pa.table({"id": [1], "Branch\n": ["x"], "Loan": [1]})
    text = format_guesses(
        SHIPPED, infer(SHIPPED, table.column_names, table), "x", table.column_names
    )

    assert "# No entry takes these columns: Branch\n\n" in text


def test_a_value_without_a_code_is_pointed_out() -> None:
    found = guess(Education=["Graduate", "Unknown", "Primary"])["education_level"]

    assert "no code yet for: Unknown" in found.remarks


def test_a_column_whose_values_speak_against_its_name_is_not_taken() -> None:
    guesses = guess(Email=["ann@bank.example", "bo@bank.example"], loan=[5000, 12000])

    assert guesses["email_interaction"].confidence is Confidence.MISSING
    assert guesses["has_loan"].confidence is Confidence.MISSING


def test_the_better_name_wins_and_a_column_is_taken_once() -> None:
    guesses = guess(id=[1, 2], Customer__ID=[7, 8], Balance=[1, 2], Avg__Balance=[3, 4])

    assert guesses["customer_id"].entry == Entry("Customer ID")
    assert guesses["account_balance"].entry == Entry("Balance")
    assert len(mapping_of(guess(income__balance=[1, 2])).entries) == 1


def test_synonyms_are_of_attributes_that_there_are() -> None:
    assert set(synonyms.COLUMN_NAMES) == {feature.name for feature in COLUMNS}
    for name, words in synonyms.VALUES.items():
        codes = FEATURE_BY_NAME[name].codes
        assert set(words.values()) <= set(codes)
        assert all(words.get(text.casefold(), number) == number for number, text in codes.items())


entries = st.builds(
    Entry,
    column=st.text(min_size=1, max_size=8),
    factor=st.fractions(-(10**12), 10**12, max_denominator=1000).filter(bool),
    codes=st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=6).map(mapping.code_key),
        st.integers(0, 1),
        max_size=3,
    ),
    style=st.sampled_from([NumberStyle(), NumberStyle(",", "."), NumberStyle(".", "'")]),
    default=st.sampled_from([None, 0, 1]),
)


@given(st.fixed_dictionaries(dict.fromkeys(FEATURE_NAMES, entries)))
def test_a_mapping_reads_back_as_it_was_written(found: Mapping[str, Entry]) -> None:
    assert (
        parse_mapping(SHIPPED, format_mapping(SHIPPED, ColumnMapping(found)), "x").entries == found
    )


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=10))
def test_whatever_a_column_is_called_its_guess_is_toml(column: str) -> None:
    guesses = infer(SHIPPED, ["loan", "id"], pa.table({"loan": ["yes", column], "id": [1, 2]}))

    text = format_guesses(SHIPPED, guesses, column).replace("# default = …", "default = 0")

    assert len(parse_mapping(SHIPPED, text, "x").entries) == len(COLUMNS)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("", "give its column, or a default for every customer$"),
        ("column = 5", "column must be the name of a column"),
        ('colum = "x"', "colum is not known; known keys are column, plus"),
        ('column = "x"\nfactor = "a dozen"', "factor must be a number other than 0, or a frac"),
        ('column = "x"\nfactor = 0', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "1/0"', "factor must be a number other than 0"),
        ('column = "x"\nfactor = true', "factor must be a number other than 0"),
        ('column = "x"\nfactor = nan', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "1e100000000"', "factor must be a number other than 0"),
        ('column = "x"\nfactor = 1e400000000', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "1/1e100000000"', "factor must be a number other than 0"),
        ('column = "x"\nfactor = 1e-400', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "1/2/3"', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "1_0/12"', "factor must be a number other than 0"),
        ('column = "x"\nfactor = "\uff11/12"', "factor must be a number other than 0"),
        (f'column = "x"\nfactor = "0.{"1" * 6000}"', "factor must be a number other than 0"),
        ("default = 1e400", "default must be a value of the attribute"),
        ("default = 131", "default cannot be taken: age must be an integer from 0 to 130, not"),
        ('column = "x"\ncodes = { old = "80" }', "codes of old: age must be"),
        ('column = "x"\ncodes = { a = 1, "A " = 2 }', "codes has a twice; case and blanks"),
        ('column = "x"\ncodes = 5', "codes must be a table"),
        ('column = "x"\ndecimal = "·"', "decimal must be a point or a comma"),
        ('column = "x"\nthousands = "."', "thousands must not be the decimal sign too"),
    ],
)
def test_an_entry_that_is_wrong_is_named(wrong: str, complaint: str) -> None:
    text = re.sub(r"\[age\]\n.*\n", f"[age]\n{wrong}\n", BY_REQUEST_NAMES)

    with pytest.raises(MappingError, match=rf"bank\.toml cannot be used. age: {complaint}"):
        parse_mapping(SHIPPED, text, "bank.toml")


def test_all_faults_of_a_mapping_are_told_at_once() -> None:
    with pytest.raises(MappingError) as told:
        parse_mapping(SHIPPED, "[height]\n[customer_id]\ndefault = 1\n", "bank.toml")

    message = str(told.value)
    assert "height: no such attribute" in message
    assert "customer_id: default is not for an id" in message
    with pytest.raises(MappingError, match="customer_id: give its column; age"):
        parse_mapping(SHIPPED, "[customer_id]\n[age]\n", "bank.toml")
    assert "has_loan: there is no such entry" in message


def test_an_id_has_no_factor() -> None:
    text = BY_REQUEST_NAMES.replace('"customer_id"', '"customer_id"\nfactor = "1/10"')

    with pytest.raises(MappingError, match="customer_id: factor is not for an id"):
        parse_mapping(SHIPPED, text, "x")


HOSTILE = {
    "deep lists": "a=" + "[\n" * 100_000,
    "deep tables": "a=" + "{a=" * 2000,
    "a number of many digits": "a=" + "1" * 6000,
    "a key of many parts": "a." * 16_000 + "a=1",
    "quoted keys": '"a".' * 5_000 + "a=1",
    "a table in many tables": "[" + "a." * 16_000 + "a]",
    "a long text": "a='" + "x" * 2**20,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mapping_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "hostile.toml").write_text(text)

    told = r"^The mapping \S+hostile\.toml (is not TOML|cannot be used|has more than)[^\n]+$"
    with pytest.raises(MappingError, match=told):
        read_mapping(SHIPPED, tmp_path / "hostile.toml")


def test_a_mapping_that_is_no_toml_or_not_there_is_told(tmp_path: Path) -> None:
    for text, told in {
        "age": r"\(line 1\): a name has no value",
        "a = 1\nb = \n": r"\(line 2\): a value is missing, or is no text in quotes, number, list",
        "\na = 1\na = 2": r"\(line 3\): a name is given twice",
        "[age]\nfactor = " + "9" * 6000: r"\(line 2\): a number has more than 4300 digits",
        "a = " + "[" * 3000: ": its tables or lists are too deep",
    }.items():
        with pytest.raises(MappingError, match=f"^The mapping above is not TOML ?{told}"):
            parse_mapping(SHIPPED, text, "above")
    with pytest.raises(MappingError, match="cannot be read: No such file"):
        read_mapping(SHIPPED, tmp_path / "none.toml")
    (tmp_path / "old.toml").write_bytes(b"\xe9")
    with pytest.raises(MappingError, match=r"not UTF-8 text \(byte 0\)"):
        read_mapping(SHIPPED, tmp_path / "old.toml")


def test_attributes_from_elsewhere_need_no_entry() -> None:
    text = re.sub(r"\[has_loan\]\n.*\n", "", BY_REQUEST_NAMES)

    found = parse_mapping(SHIPPED, text, "x", elsewhere=["has_loan"])

    assert found.entries["has_loan"] == Entry(None, default=0)


def test_a_table_without_ids_needs_a_mapping_without_ids_only_where_none_is_wanted() -> None:
    text = re.sub(r"\[customer_id\]\n.*\n", "", BY_REQUEST_NAMES)
    found = parse_mapping(SHIPPED, text, "x")

    with open_table(io.BytesIO(",".join(FEATURE_NAMES).encode())) as source:
        Checker(SHIPPED, source, found, with_ids=False)
        with pytest.raises(MappingError, match="no entries for customer_id"):
            Checker(SHIPPED, source, found)


@pytest.mark.parametrize("module", [inference, mapping, number_texts, date_texts])
def test_the_examples_in_the_code_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
