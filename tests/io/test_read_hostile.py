"""Archives made to harm and files of random contents end in a dataset or in one of our errors."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harmony_core.errors import FileError, InputError
from harmony_core.io.archives import Budget, unpack
from tests.io.formats import (
    dataset,
    loom,
    matrix_folder,
    stored,
    tarred,
    ten_x_h5,
    zarr_folder,
    zipped,
)
from tests.io.reading import load, load_many

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "member", ["../out.csv", "/tmp/out.csv", "a/../../out.csv", "..\\out.csv", "C:/out.csv"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_member_that_leaves_the_folder(tmp_path: Path, member: str, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    pack = zipped if kind == "zip" else tarred
    pack({member: b"a,b\n1,2\n"}, path)
    with pytest.raises(FileError, match="a file in it would be written outside its folder"):
        load(path)
    assert not list(tmp_path.parent.rglob("out.csv"))


def test_links_in_a_tar(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        path = tmp_path / "x.tar"
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo("x.csv")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        with pytest.raises(FileError, match="refused: it contains a link or a device"):
            load(path)


def test_link_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("x.csv")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(FileError, match="refused: it contains a link"):
        load(path)


def test_link_in_a_folder_on_the_server(tmp_path: Path) -> None:
    (tmp_path / "x.csv").symlink_to("/etc/passwd")
    with pytest.raises(FileError, match="refused: it contains a link"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["zip", "gz", "tar"])
def test_bomb(tmp_path: Path, kind: str) -> None:
    zeros = bytes(80 << 20)
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        zipped({"x.csv": zeros}, path)
    elif kind == "tar":
        tarred({"x.csv": zeros}, path)
    else:
        path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n" + zeros))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FileError, match="unpacks to more than 200 times its size"):
        load(path)


def test_bomb_of_text(tmp_path: Path) -> None:
    line = b"gene" + b",0" * 2000 + b"\n"
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(line * 20_000))
    with pytest.raises(FileError, match="unpacks to more than 200 times its size"):
        load(tmp_path / "x.csv.gz")


def test_endless_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmony_core.io.text.LONGEST_LINE", 1000)
    (tmp_path / "x.csv").write_bytes(b"a,b\n" * 200 + b"1," * 1000)
    with pytest.raises(FileError, match="is no table: a line is longer than 64 million"):
        load(tmp_path / "x.csv")


def test_header_that_lies_about_the_size(tmp_path: Path) -> None:
    path = zipped({"x.csv": bytes(60 << 20)}, tmp_path / "x.zip")
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"x\.zip' (is damaged|unpacks to more|holds no data)"):
        load(path)


def test_more_than_the_disk_can_take(tmp_path: Path) -> None:
    path = zipped({"x.csv": b"1,2\n" * 1000}, tmp_path / "x.zip")
    (tmp_path / "out").mkdir()
    budget = Budget(n_bytes=1000, n_members=5, packed=1e6)
    with pytest.raises(FileError, match="which the disk cannot take; free some space"):
        unpack(path, tmp_path / "out", "'x.zip'", budget)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmony_core.io.archives.MAX_MEMBERS", 20)
    path = zipped({f"{i}.csv": b"" for i in range(21)}, tmp_path / "x.zip")
    with pytest.raises(FileError, match="refused: it holds more than 20 files"):
        load(path)


def test_archives_within_archives(tmp_path: Path) -> None:
    path = zipped(matrix_folder(dataset()), tmp_path / "0.zip")
    for i in range(1, 5):
        path = zipped({"inner.zip": path.read_bytes()}, tmp_path / f"{i}.zip")
    with pytest.raises(FileError, match="refused: it is packed more than 3 times"):
        load(path)


def test_member_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            member = tarfile.TarInfo("x.csv")
            member.size = 4
            archive.addfile(member, io.BytesIO(b"1,2\n"))
    with pytest.raises(FileError, match="refused: it contains a file twice"):
        load(path)


def test_encrypted_zip(tmp_path: Path) -> None:
    path = zipped({"x.csv": b"a,b\n1,2\n"}, tmp_path / "x.zip")
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="is encrypted, or packed in a way that is not known"):
        load(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archive_cut_short(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    (zipped if kind == "zip" else tarred)(matrix_folder(dataset()), path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(FileError, match="is damaged and cannot be unpacked"):
        load(path)


def test_archive_without_data(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"'x\.zip' holds no data in a known format; known: h5ad"):
        load(zipped({"readme.md": b"hello"}, tmp_path / "x.zip"))


def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
    (tmp_path / "work").mkdir()
    load(zipped(matrix_folder(dataset()), tmp_path / "x.zip"))
    with pytest.raises(FileError):
        load(zipped({"x.csv": b"\x00"}, tmp_path / "y.zip"))
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_file_without_rights(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.csv").chmod(0)
    with pytest.raises(FileError, match="may not be read by this program"):
        load(tmp_path / "x.csv")


FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.one_of(
    st.integers(-5, 10_000), st.floats(allow_nan=True, allow_infinity=True), st.just("")
)
WORDS = st.text(max_size=12)


@FEW
@given(data=st.data())
def test_any_table(tmp_path: Path, data: st.DataObject) -> None:
    """Tables of arbitrary names and values, written by pandas."""
    n_rows = data.draw(st.integers(0, 60))
    n_columns = data.draw(st.integers(0, 8))
    columns = data.draw(st.lists(WORDS, min_size=n_columns, max_size=n_columns))
    cells = st.one_of(NUMBERS, WORDS) if data.draw(st.booleans()) else NUMBERS
    rows = data.draw(
        st.lists(
            st.lists(cells, min_size=n_columns, max_size=n_columns),
            min_size=n_rows,
            max_size=n_rows,
        )
    )
    frame = pd.DataFrame(rows, columns=pd.Index(columns, dtype=object))
    delimiter = data.draw(st.sampled_from([",", "\t", ";", " "]))
    text = frame.to_csv(sep=delimiter, index=data.draw(st.booleans()))
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    dataset_or_error(path)


@FEW
@given(content=st.binary(max_size=400), name=st.sampled_from(["x.csv", "x.h5ad", "x.zip", "x.gz"]))
def test_any_bytes(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    dataset_or_error(path)


@FEW
@given(text=st.text(alphabet=st.sampled_from('a1.,;\t\n\r" -#%éN'), max_size=300))
def test_any_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(text.encode())
    dataset_or_error(path)


@FEW
@given(data=st.data())
def test_tables_that_may_belong_together(tmp_path: Path, data: st.DataObject) -> None:
    names = st.lists(st.sampled_from([f"c{i}" for i in range(60)]), min_size=1, max_size=60)
    first, second = data.draw(names), data.draw(names)
    embedding = pd.DataFrame(np.ones((len(first), 3)), first, ["PC_1", "PC_2", "PC_3"])
    metadata = pd.DataFrame({"batch": data.draw(st.sampled_from(["a", ""]))}, second)
    embedding.to_csv(tmp_path / "e.csv")
    metadata.to_csv(tmp_path / "m.csv")
    try:
        found = load_many([tmp_path / "e.csv", tmp_path / "m.csv"]).adata
    except InputError:
        shared = set(first) & set(second)
        shares = np.mean([name in shared for name in first]), len(shared) / len(second)
        assert len(set(second)) < len(second) or max(shares) < 0.2
    else:
        assert set(found.obs_names) == set(first) & set(second)


def dataset_or_error(path: Path) -> None:
    try:
        found = load(path).adata
    except InputError as refused:
        sentence = str(refused)
        assert 10 < len(sentence) < 400
        assert "\n" not in sentence
    else:
        assert found.n_obs > 0


def test_mutated_files(tmp_path: Path) -> None:
    """Files with some bytes changed. In a process of its own, as a library in C may crash."""
    adata = dataset()
    adata.write_h5ad(tmp_path / "x.h5ad")
    ten_x_h5(adata, tmp_path / "x.h5")
    loom(adata, tmp_path / "x.loom")
    tarred(matrix_folder(adata), tmp_path / "x.tar.gz")
    zipped(matrix_folder(adata, version=2), tmp_path / "packed.zip")
    folder = zarr_folder(adata, tmp_path / "x.zarr")
    zarr = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    shutil.rmtree(folder)
    # Not packed, so that the change reaches the file inside.
    stored(zarr, tmp_path / "zarr.zip")
    stored(matrix_folder(adata, version=2), tmp_path / "matrix.zip")
    adata.to_df().to_csv(tmp_path / "x.csv")
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "mutate.py", *sorted(tmp_path.iterdir())],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("refused") == 8


def test_a_chunk_far_larger_than_its_array_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    dataset().write_h5ad(path)
    shape, chunk = dataset().shape, (500_000, 1_000)
    with h5py.File(path, "a") as file:
        del file["X"]
        file.create_dataset("X", shape, "f4", maxshape=(None, None), chunks=chunk)
    with pytest.raises(FileError, match="stored in pieces of"):
        load(path)
    for version in (2, 3):
        folder = zarr_folder(dataset(), tmp_path / f"{version}.zarr", zarr_format=version)
        described = folder / "X" / "data" / (".zarray" if version == 2 else "zarr.json")
        values = json.loads(described.read_text())
        huge = [10**10]
        values |= (
            {"chunks": huge}
            if version == 2
            else {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": huge}}}
        )
        described.write_text(json.dumps(values))
        with pytest.raises(FileError, match="stored in pieces of"):
            load(folder)


def test_texts_that_share_one_long_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    dataset().write_h5ad(path)
    with h5py.File(path, "a") as file:
        texts = file.create_dataset("uns/texts", (2_000,), h5py.string_dtype())
        texts[:] = "short"
        texts[0] = "x" * 300_000
        at = texts.id.get_offset()
    content = bytearray(path.read_bytes())
    content[at : at + 16 * 2_000] = bytes(content[at : at + 16]) * 2_000
    path.write_bytes(content)
    with pytest.raises(FileError, match="its texts take more room than the file"):
        load(path)


def test_values_that_are_a_view_of_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    dataset().write_h5ad(path)
    n = dataset().n_obs
    with h5py.File(path, "a") as file:
        view = h5py.VirtualLayout((n, 2), "f4")
        view[:] = h5py.VirtualSource(".", "obsm/X_view", (n, 2))
        file.create_virtual_dataset("obsm/X_view", view)
    with pytest.raises(FileError, match="a view of other values"):
        load(path)


def test_a_file_that_declares_far_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    dataset().write_h5ad(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("uns/zeros", (300_000_000,), "f8", chunks=(1_000_000,))
    with pytest.raises(FileError, match="unpacks to more than 1,100 times its size"):
        load(path)
