//! Descriptions of plain types of other modules for the OpenAPI document.

/// Describes a plain type whose JSON form is that of its fields or variants.
///
/// The compiler compares the description with the type: names, types and completeness. Fields after
/// `without` are not part of the JSON form. Doc comments become descriptions, and attributes `schema`
/// are those of utoipa.
macro_rules! describe {
    ($(#[$about:meta])* struct $name:ident = $plain:path {
        $($(#[$note:meta])* $field:ident: $type:ty,)*
    } $(without $($hidden:ident),+)?) => {
        const _: () = {
            type Plain = $plain;

            #[derive(utoipa::ToSchema)]
            $(#[$about])*
            #[allow(dead_code, reason = "only its description is used")]
            struct $name {
                $($(#[$note])* $field: $type,)*
            }

            impl From<Plain> for $name {
                fn from(plain: Plain) -> Self {
                    let Plain { $($field,)* $($($hidden: _,)+)? } = plain;
                    Self { $($field,)* }
                }
            }

            $crate::api::body::describe::described!($name);
        };
    };
    ($(#[$about:meta])* enum $name:ident = $plain:path { $($variant:ident),+ $(,)? }) => {
        const _: () = {
            type Plain = $plain;

            #[derive(utoipa::ToSchema)]
            $(#[$about])*
            enum $name {
                $($variant,)+
            }

            impl From<Plain> for $name {
                fn from(plain: Plain) -> Self {
                    match plain {
                        $(Plain::$variant => Self::$variant,)+
                    }
                }
            }

            $crate::api::body::describe::described!($name);
        };
    };
    ($(#[$about:meta])* text $name:ident = $plain:path) => {
        const _: () = {
            type Plain = $plain;

            #[derive(utoipa::ToSchema)]
            $(#[$about])*
            #[schema(value_type = String)]
            #[allow(dead_code, reason = "only its description is used")]
            struct $name(String);

            $crate::api::body::describe::described!($name);
        };
    };
}

/// Gives the type `Plain` the schema of this one.
macro_rules! described {
    ($name:ident) => {
        impl utoipa::PartialSchema for Plain {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                <$name as utoipa::PartialSchema>::schema()
            }
        }

        impl utoipa::ToSchema for Plain {
            fn name() -> std::borrow::Cow<'static, str> {
                <$name as utoipa::ToSchema>::name()
            }

            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>,
            ) {
                <$name as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}

pub(crate) use {describe, described};
