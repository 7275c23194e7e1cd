"""Attribution methods: frozen dataclasses whose fields are the options."""
