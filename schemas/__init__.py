"""The words of clipstrata as types, and the wire: the one owner of the data contract."""
